// The client's end of a WebSocket, as small as it can be: the load shares the machine with what is measured, so every
// microsecond here is one that the CSMS does not have.
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";

/** Where and as whom a station connects. */
export interface StationAddress {
  readonly port: number;
  readonly identity: string;
  readonly subprotocol: string;
  /** HTTP Basic (security profile 1) when given. */
  readonly password?: string | undefined;
}

/** The server answered the handshake with another status than 101. */
export class HandshakeRefusedError extends Error {
  override readonly name = "HandshakeRefusedError";
  readonly status: number;
  readonly retryAfterS: number | undefined;

  constructor(status: number, retryAfterS: number | undefined) {
    super(`the handshake was refused with ${status}`);
    this.status = status;
    this.retryAfterS = retryAfterS;
  }
}

const MASK = Buffer.from([0x5a, 0x17, 0xc3, 0x8e]);
const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

function clientFrame(opcode: number, payload: Buffer): Buffer {
  const { length } = payload;
  const head = length < 126 ? 2 : length < 2 ** 16 ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + 4 + length);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | (length < 126 ? length : length < 2 ** 16 ? 126 : 127);
  if (head === 4) frame.writeUInt16BE(length, 2);
  if (head === 10) frame.writeBigUInt64BE(BigInt(length), 2);
  MASK.copy(frame, head);
  const start = head + 4;
  for (let index = 0; index < length; index++) {
    frame[start + index] = (payload[index] as number) ^ (MASK[index & 3] as number);
  }
  return frame;
}

/** The value of the header that carries a password. */
export function basicHeader(identity: string, password: string): string {
  return `Authorization: Basic ${Buffer.from(`${identity}:${password}`).toString("base64")}\r\n`;
}

/** A station's WebSocket. */
export class StationSocket {
  readonly #socket: Socket;
  #unread = Buffer.alloc(0);
  /** Set to false by a station that has died without closing its socket. */
  answersPings = true;
  /** Takes the texts of the server. */
  onText: (text: string) => void = () => {};
  /** Called once when the server has closed the connection, or it was lost. */
  onClose: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** @throws HandshakeRefusedError, or the error of the socket */
  static connect(address: StationAddress): Promise<StationSocket> {
    const { port, identity, subprotocol, password } = address;
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    socket.write(
      `GET /ocpp/${identity} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n` +
        `Sec-WebSocket-Protocol: ${subprotocol}\r\n` +
        `${password === undefined ? "" : basicHeader(identity, password)}\r\n`,
    );
    return new Promise((resolve, reject) => {
      let head = Buffer.alloc(0);
      const gone = (): void => reject(new Error("the connection was lost in the handshake"));
      const onData = (chunk: Buffer): void => {
        head = Buffer.concat([head, chunk]);
        const end = head.indexOf("\r\n\r\n");
        if (end < 0) return;
        socket.off("data", onData).off("error", reject).off("close", gone);
        const text = head.toString("latin1", 0, end);
        if (text.startsWith("HTTP/1.1 101")) {
          const station = new StationSocket(socket);
          station.#carry(head.subarray(end + 4));
          resolve(station);
          return;
        }
        socket.on("error", () => {}).destroy();
        const retryAfter = /^retry-after: *(\d+)/im.exec(text)?.[1];
        const status = Number(text.slice(9, 12));
        reject(new HandshakeRefusedError(status, retryAfter === undefined ? undefined : Number(retryAfter)));
      };
      socket.on("data", onData).on("error", reject).on("close", gone);
    });
  }

  send(text: string): void {
    this.#socket.write(clientFrame(TEXT, Buffer.from(text)));
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  #carry(first: Buffer): void {
    this.#socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => this.onClose());
    if (first.length > 0) this.#receive(first);
  }

  #receive(chunk: Buffer): void {
    let data = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
    for (;;) {
      const short = (data[1] ?? 0) & 0x7f;
      const head = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (data.length < head) break;
      const length = short < 126 ? short : short === 126 ? data.readUInt16BE(2) : Number(data.readBigUInt64BE(2));
      if (data.length < head + length) break;
      const opcode = (data[0] ?? 0) & 0x0f;
      const payload = data.subarray(head, head + length);
      data = data.subarray(head + length);
      if (opcode === TEXT) this.onText(payload.toString());
      else if (opcode === PING && this.answersPings) this.#socket.write(clientFrame(PONG, payload));
      else if (opcode === CLOSE && this.answersPings) this.#socket.end(clientFrame(CLOSE, payload));
    }
    this.#unread = data.length === 0 ? Buffer.alloc(0) : Buffer.from(data);
  }
}
