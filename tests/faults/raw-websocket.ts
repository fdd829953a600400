import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { constants, inflateRawSync } from "node:zlib";

/** Opcodes of RFC 6455 §5.2. */
export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** How one frame is written; what is absent makes a whole, masked text frame. */
export interface FrameShape {
  readonly opcode?: number;
  /** False where further fragments follow. */
  readonly isFinal?: boolean;
  /** The three reserved bits, 4 being the one that permessage-deflate uses. */
  readonly reserved?: number;
  readonly isMasked?: boolean;
  /** The length that the header tells, when it is not that of the payload. */
  readonly toldBytes?: number;
}

/** How a connection ended; 1006 without a close frame. */
export interface WebSocketEnd {
  readonly code: number;
  readonly reason: string;
}

/** How a {@link RawWebSocket} connects. */
export interface RawWebSocketOptions {
  readonly subprotocol: string;
  /** Offers permessage-deflate. */
  readonly compression?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

const ZERO_MASK = Buffer.alloc(4);
const END_OF_BLOCK = Buffer.from([0x00, 0x00, 0xff, 0xff]);

/** One frame as bytes. The mask is zero, which RFC 6455 allows and which leaves the payload as it is. */
export function frameBytes(payload: string | Buffer, shape: FrameShape = {}): Buffer {
  const { opcode = opcodes.text, isFinal = true, reserved = 0, isMasked = true } = shape;
  const body = typeof payload === "string" ? Buffer.from(payload) : payload;
  const length = shape.toldBytes ?? body.length;
  const first = (isFinal ? 0x80 : 0) | ((reserved & 7) << 4) | opcode;
  const mask = isMasked ? 0x80 : 0;
  let head: Buffer;
  if (length < 126) {
    head = Buffer.from([first, mask | length]);
  } else if (length < 2 ** 16) {
    head = Buffer.from([first, mask | 126, length >> 8, length & 0xff]);
  } else {
    head = Buffer.alloc(10);
    head[0] = first;
    head[1] = mask | 127;
    head.writeUInt32BE(Math.floor(length / 2 ** 32), 2);
    head.writeUInt32BE(length % 2 ** 32, 6);
  }
  return Buffer.concat(isMasked ? [head, ZERO_MASK, body] : [head, body]);
}

/** A WebSocket client that can write any frame, also those that no library lets through. */
export class RawWebSocket {
  readonly socket: Socket;
  /** What the server chose of the offered extensions. */
  readonly extensions: string;
  /** Called with every text of the server. */
  onText: (text: string) => void = () => {};
  /** Resolves when the connection is gone. */
  readonly ended: Promise<WebSocketEnd>;
  #unread: Buffer<ArrayBufferLike> = Buffer.alloc(0);
  #end: WebSocketEnd = { code: 1006, reason: "" };

  private constructor(socket: Socket, extensions: string, rest: Buffer) {
    this.socket = socket;
    this.extensions = extensions;
    this.ended = new Promise((resolve) => socket.once("close", () => resolve(this.#end)));
    socket.on("data", (bytes) => this.#receive(bytes));
    // What came with the handshake's answer is read once the caller listens.
    if (rest.length > 0) setImmediate(() => this.#receive(rest));
  }

  /** Shakes hands on a port of this machine. Rejects with the status line when refused. */
  static connect(port: number, path: string, options: RawWebSocketOptions): Promise<RawWebSocket> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    const lines = [
      `GET ${path} HTTP/1.1`,
      `Host: 127.0.0.1:${port}`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
      `Sec-WebSocket-Protocol: ${options.subprotocol}`,
      ...(options.compression === true ? ["Sec-WebSocket-Extensions: permessage-deflate"] : []),
      ...Object.entries(options.headers ?? {}).map(([name, value]) => `${name}: ${value}`),
    ];
    socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    return new Promise((resolve, reject) => {
      let head = Buffer.alloc(0);
      const lost = () => reject(new Error("the connection was lost in the handshake"));
      const read = (bytes: Buffer) => {
        head = Buffer.concat([head, bytes]);
        const end = head.indexOf("\r\n\r\n");
        if (end < 0) return;
        socket.off("data", read).off("close", lost);
        const text = head.subarray(0, end).toString("latin1");
        if (!text.startsWith("HTTP/1.1 101")) {
          socket.destroy();
          reject(new Error(`refused with ${text.split("\r\n", 1)[0]}`));
          return;
        }
        const extensions = /^sec-websocket-extensions: (.*)$/im.exec(text)?.[1] ?? "";
        resolve(new RawWebSocket(socket, extensions, head.subarray(end + 4)));
      };
      socket
        .on("error", () => {})
        .on("close", lost)
        .on("data", read);
    });
  }

  /** Sends one frame. */
  frame(payload: string | Buffer, shape?: FrameShape): void {
    this.write(frameBytes(payload, shape));
  }

  /** Sends bytes as they are; false when they have to wait. */
  write(bytes: Buffer): boolean {
    return this.socket.writable && this.socket.write(bytes);
  }

  /** Ends without a close frame. */
  cut(): void {
    this.socket.destroy();
  }

  /** Closes in good order, and resolves when the connection is gone. */
  async close(): Promise<WebSocketEnd> {
    this.frame(Buffer.from([0x03, 0xe8]), { opcode: opcodes.close });
    return await this.ended;
  }

  #receive(bytes: Buffer): void {
    this.#unread = this.#unread.length === 0 ? bytes : Buffer.concat([this.#unread, bytes]);
    for (;;) {
      const size = this.#readFrame(this.#unread);
      if (size === 0) return;
      this.#unread = this.#unread.subarray(size);
    }
  }

  /** Length of the first frame, once it is whole and was taken; 0 before. */
  #readFrame(bytes: Buffer): number {
    const [first, second] = bytes;
    if (first === undefined || second === undefined) return 0;
    let start = 2;
    let length = second & 0x7f;
    if (length === 126) {
      if (bytes.length < 4) return 0;
      length = bytes.readUInt16BE(2);
      start = 4;
    } else if (length === 127) {
      if (bytes.length < 10) return 0;
      length = bytes.readUInt32BE(2) * 2 ** 32 + bytes.readUInt32BE(6);
      start = 10;
    }
    if (bytes.length < start + length) return 0;
    this.#took(first, bytes.subarray(start, start + length));
    return start + length;
  }

  #took(first: number, payload: Buffer): void {
    const opcode = first & 0x0f;
    if (opcode === opcodes.text) {
      const isCompressed = (first & 0x40) !== 0;
      const finishFlush = constants.Z_SYNC_FLUSH;
      const body = isCompressed ? inflateRawSync(Buffer.concat([payload, END_OF_BLOCK]), { finishFlush }) : payload;
      this.onText(body.toString());
    } else if (opcode === opcodes.ping) {
      this.frame(payload, { opcode: opcodes.pong });
    } else if (opcode === opcodes.close) {
      this.#end = {
        code: payload.length < 2 ? 1005 : payload.readUInt16BE(0),
        reason: payload.subarray(2).toString(),
      };
      this.frame(payload.subarray(0, 2), { opcode: opcodes.close });
      this.socket.end();
    }
  }
}
