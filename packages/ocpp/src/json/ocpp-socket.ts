import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type RawData, WebSocket } from "ws";
import type { RpcPeer } from "./peer/rpc-peer.ts";
import type { Transport } from "./peer/transport.ts";
import { textFrame } from "./text-frame.ts";

const LONGEST_REASON_BYTES = 123;

/** A close reason that fits its frame (RFC 6455 §5.5), cut between characters. */
function fittingReason(reason: string): string {
  if (Buffer.byteLength(reason) <= LONGEST_REASON_BYTES) return reason;
  const cut = Buffer.from(reason).subarray(0, LONGEST_REASON_BYTES).toString("utf8");
  return cut.replace(/\uFFFD+$/u, "");
}

/** Liveness of one socket, as {@link Liveness} keeps it. Times are those of the endpoint's timers. */
export interface Pulse {
  /** Whether anything was received since this was asked last. */
  takeSignOfLife(): boolean;
  pingDueMs: number;
  /** Infinity while no pong is awaited. */
  pongDueMs: number;
}

/** Whose sockets they are. */
export interface SocketOwner {
  /** The WebSocket is closed, after its peer was told. */
  closed(socket: OcppSocket): void;
}

/** A WebSocket that knows the peer it carries and whose it is: no closure and no wrapper per connection. */
export class OcppSocket extends WebSocket implements Transport, Pulse {
  peer: RpcPeer | undefined;
  owner: SocketOwner | undefined;
  maxUnsentBytes = Number.POSITIVE_INFINITY;
  /** A whole frame was received since {@link takeSignOfLife}. */
  isHeard = false;
  pingDueMs = Number.POSITIVE_INFINITY;
  pongDueMs = Number.POSITIVE_INFINITY;
  #isBlocked = false;
  #sentWhileBlocked = 0;
  #bytesSeen = 0;

  /** The socket below, where this is the server's end. */
  #below: Socket | undefined;
  /** Set where frames may go straight to the socket: for a server, and without compression. */
  #stream: Duplex | undefined;

  /** Delivers messages to the peer from here on. `stream` is the socket below, where this is the server's end. */
  carry(peer: RpcPeer, maxUnsentBytes: number, stream?: Duplex): void {
    this.peer = peer;
    this.maxUnsentBytes = maxUnsentBytes;
    if (stream instanceof Socket) this.#below = stream;
    if (this.extensions === "") this.#stream = stream;
    this.on("message", onMessage);
    this.on("pong", onSignOfLife);
    this.on("ping", onSignOfLife);
    this.on("error", onError);
    this.on("close", onClose);
  }

  sendText(text: string): void {
    if (this.bufferedAmount <= this.maxUnsentBytes) {
      // One buffer and one write, where `ws` makes two of each: a fifth of what a Heartbeat costs.
      if (this.#stream === undefined) this.send(text);
      else if (this.readyState === this.OPEN) this.#stream.write(textFrame(text));
      return;
    }
    if (!this.#isBlocked) {
      this.#isBlocked = true;
      this.#sentWhileBlocked = 0;
      this.peer?.setBlocked(true);
    }
    this.#sentWhileBlocked += text.length;
    if (this.#sentWhileBlocked > this.maxUnsentBytes) {
      this.peer?.end({ code: 1006, reason: "does not read" });
      this.terminate();
      return;
    }
    this.send(text, () => this.#written());
  }

  /** Whether answers pile up because the peer does not read. */
  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  takeSignOfLife(): boolean {
    const bytesRead = this.#below?.bytesRead ?? 0;
    const isAlive = this.isHeard || bytesRead !== this.#bytesSeen;
    this.isHeard = false;
    this.#bytesSeen = bytesRead;
    return isAlive;
  }

  /**
   * Lets go of what compression holds between messages, a quarter of a megabyte with both directions; it is made anew
   * when it is needed. To be called while nothing is received.
   */
  releaseCompression(): void {
    // What is being compressed counts as not sent.
    if (this.bufferedAmount > 0) return;
    const { _extensions: extensions } = this as unknown as { _extensions?: Record<string, { cleanup?(): void }> };
    extensions?.["permessage-deflate"]?.cleanup?.();
  }

  override close(code?: number, reason?: string | Buffer): void {
    super.close(code, typeof reason === "string" ? fittingReason(reason) : reason);
  }

  #written(): void {
    if (!this.#isBlocked || this.bufferedAmount > this.maxUnsentBytes / 2) return;
    this.#isBlocked = false;
    this.peer?.setBlocked(false);
  }
}

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  const socket = this as OcppSocket;
  socket.isHeard = true;
  if (isBinary) socket.peer?.receiveBinary();
  else socket.peer?.receive((data as Buffer).toString());
}

function onSignOfLife(this: WebSocket): void {
  (this as OcppSocket).isHeard = true;
}

// The close event follows every error. It tells all that anybody can act on but for this: `ws` closes with 1009, and a
// peer that does not answer that leaves nothing but 1006.
function onError(this: WebSocket, error: Error & { readonly code?: unknown }): void {
  if (error.code !== "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") return;
  (this as OcppSocket).peer?.end({ code: 1009, reason: "a frame is larger than allowed" });
}

function onClose(this: WebSocket, code: number, reason: Buffer): void {
  const socket = this as OcppSocket;
  socket.peer?.end({ code, reason: reason.toString() });
  socket.owner?.closed(socket);
}
