import { deflateRawSync } from "node:zlib";
import type { OcppVersion } from "@polyphase/ocpp";
import { FrameFuzzer, type Json } from "../protocol/frame-fuzzer.ts";
import { SeededRandom } from "../protocol/seeded-random.ts";
import { FuzzLedger } from "./fuzz-ledger.ts";
import { frameBytes, opcodes, RawWebSocket, type WebSocketEnd } from "./raw-websocket.ts";
import { validFrames } from "./station-messages.ts";

/** Frames between two moments at which everything must be answered. */
const BATCH = 64;
const PATIENCE_MS = 120_000;
const MEBIBYTE = 2 ** 20;
/** Texts longer than this are sent rarely: they cost as much as a hundred others. */
const LONG_TEXT = 8_192;

/** How a lane fuzzes. */
export interface JsonLaneOptions {
  readonly port: number;
  readonly version: OcppVersion;
  readonly identity: string;
  readonly seed: number;
  readonly compression: boolean;
}

/** What a lane did. */
export interface JsonLaneTally {
  frames: number;
  connections: number;
  calledByCsms: number;
  /** How often connections ended with each close code. */
  readonly ends: Map<number, number>;
}

/** What may end a connection: the codes that RFC 6455 §7.4.1 has for it, or none where the lane cut it itself. */
type Ending = readonly number[];

/** A station that says anything, in one version, over one connection after another. */
export class JsonFuzzLane {
  readonly ledger = new FuzzLedger();
  readonly tally: JsonLaneTally = { frames: 0, connections: 0, calledByCsms: 0, ends: new Map() };
  readonly #options: JsonLaneOptions;
  readonly #random: SeededRandom;
  readonly #fuzzer: FrameFuzzer;
  readonly #valid: readonly (readonly Json[])[];
  #socket: RawWebSocket | undefined;
  #end: WebSocketEnd | undefined;
  #number = 0;
  #arrived: () => void = () => {};

  constructor(options: JsonLaneOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
    this.#valid = validFrames(options.version, options.seed, 4);
    this.#fuzzer = new FrameFuzzer(options.version, options.seed + 1, this.#valid);
  }

  /** Sends at least so many frames and sees that what must be answered is. */
  async run(frames: number): Promise<void> {
    const until = this.tally.frames + frames;
    while (this.tally.frames < until && this.ledger.findings.length < 20) {
      const socket = this.#socket ?? (await this.#connect());
      let ending: Ending = [];
      for (let count = 0; count < BATCH && ending.length === 0; count++) ending = this.#send(socket);
      if (ending.length === 0) await this.#expectAnswers(socket);
      else await this.#expectEnd(socket, ending);
    }
  }

  /** Leaves. */
  async close(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket !== undefined) await within(socket.close(), `${this.#options.identity}: no end after a close frame`);
  }

  async #connect(): Promise<RawWebSocket> {
    const { port, version, identity, compression } = this.#options;
    const subprotocol = `ocpp${version}`;
    const socket = await RawWebSocket.connect(port, `/ocpp/${identity}`, { subprotocol, compression });
    this.tally.connections++;
    this.#socket = socket;
    this.#end = undefined;
    socket.onText = (text) => this.#took(socket, text);
    void socket.ended.then((end) => {
      if (this.#socket !== socket) return;
      this.#end = end;
      this.#arrived();
    });
    return socket;
  }

  #took(socket: RawWebSocket, text: string): void {
    const frame = JSON.parse(text) as readonly unknown[];
    if (frame[0] === 2) {
      this.tally.calledByCsms++;
      this.#answer(socket, String(frame[1]));
    } else if (frame[0] === 3 || frame[0] === 4) {
      this.ledger.took(frame);
      this.#arrived();
    }
  }

  /** Answers a call of the CSMS well, badly, twice or not at all. */
  #answer(socket: RawWebSocket, id: string): void {
    const name = JSON.stringify(id);
    const nonsense = JSON.stringify(this.#random.pick(this.#valid)[3]);
    const answer = this.#random.pick([
      `[4,${name},"NotImplemented","",{}]`,
      `[4,${name},"NotSupported","",{}]`,
      `[3,${name},{"status":"Accepted"}]`,
      `[3,${name},${nonsense}]`,
      `[3,${name},{"status":`,
      `[4,${name}]`,
      "",
    ]);
    if (answer === "") return;
    this.ledger.sent(answer);
    for (let times = this.#random.oneIn(10) ? 2 : 1; times > 0; times--) socket.frame(answer);
  }

  /** Sends the next frame; returns how the connection may end of it. */
  #send(socket: RawWebSocket): Ending {
    this.tally.frames++;
    const random = this.#random;
    switch (random.below(400)) {
      case 0:
        return this.#breakProtocol(socket);
      case 1:
        socket.write(frameBytes("[", { toldBytes: MEBIBYTE + 1 + random.below(2 ** 40) }));
        return [1009];
      case 2:
        return this.#sendBytes(socket);
      case 3:
        socket.write(frameBytes(this.#text()).subarray(0, 1 + random.below(8)));
        socket.cut();
        return [1006];
      default:
    }
    const kind = random.below(40);
    if (kind === 0) socket.frame(Buffer.from(this.#text()), { opcode: opcodes.binary });
    else if (kind === 1) socket.frame("x".repeat(random.below(126)), { opcode: opcodes.ping });
    else if (kind === 2) socket.frame("", { opcode: opcodes.pong });
    else this.#sendText(socket, this.#text());
    return [];
  }

  /** A text whose id, if it is a CALL with one, is mostly used only once. */
  #text(): string {
    const random = this.#random;
    let text = random.below(5) < 2 ? JSON.stringify(random.pick(this.#valid)) : this.#fuzzer.frame();
    while (text.length > LONG_TEXT && !random.oneIn(30)) text = this.#fuzzer.frame();
    if (random.oneIn(12)) return text;
    return text.replace(/^\[2,"(?:[^"\\]|\\.)*"/, `[2,"${this.#nextId()}"`);
  }

  #sendText(socket: RawWebSocket, text: string): void {
    this.ledger.sent(text);
    const bytes = Buffer.from(text);
    const isCompressed = socket.extensions !== "" && this.#random.oneIn(8);
    if (this.#random.oneIn(8)) this.#sendFragments(socket, bytes);
    else if (isCompressed) socket.frame(deflateRawSync(bytes), { reserved: 4 });
    else socket.frame(bytes);
  }

  /** In pieces, empty ones too, with control frames between them. */
  #sendFragments(socket: RawWebSocket, bytes: Buffer): void {
    const pieces = 1 + this.#random.below(5);
    let from = 0;
    for (let piece = 0; piece <= pieces; piece++) {
      const isFinal = piece === pieces;
      const to = isFinal ? bytes.length : from + this.#random.below(bytes.length - from + 1);
      const opcode = piece === 0 ? opcodes.text : opcodes.continuation;
      socket.frame(bytes.subarray(from, to), { opcode, isFinal });
      if (!isFinal && this.#random.oneIn(3)) socket.frame("between", { opcode: opcodes.ping });
      from = to;
    }
  }

  /** Bytes that are no UTF-8 end the connection (RFC 6455 §8.1). */
  #sendBytes(socket: RawWebSocket): Ending {
    const bytes = this.#fuzzer.bytes();
    if (Buffer.from(bytes.toString()).equals(bytes)) {
      this.#sendText(socket, bytes.toString());
      return [];
    }
    socket.frame(bytes);
    return [1007];
  }

  #breakProtocol(socket: RawWebSocket): Ending {
    const random = this.#random;
    const [payload, shape] = random.pick([
      ["[]", { opcode: 3 }],
      ["[]", { opcode: 15 }],
      ["[]", { reserved: 1 }],
      ["[]", { reserved: 3 }],
      ["[]", { isMasked: false }],
      ["[]", { opcode: opcodes.continuation }],
      ["x", { opcode: opcodes.ping, isFinal: false }],
      ["x".repeat(200), { opcode: opcodes.ping }],
      ["x", { opcode: opcodes.close }],
      [Buffer.from([0x00, 0x01]), { opcode: opcodes.close }],
    ] as const);
    if (random.oneIn(3)) {
      socket.frame("[2,", { isFinal: false });
      socket.frame("[2,");
      return [1002];
    }
    if (socket.extensions !== "" && random.oneIn(3)) {
      socket.frame("this is not deflated", { reserved: 4 });
      return [1007];
    }
    socket.frame(payload, shape);
    return [1002];
  }

  async #expectAnswers(socket: RawWebSocket): Promise<void> {
    const heartbeat = `[2,"${this.#nextId()}","Heartbeat",{}]`;
    this.ledger.sent(heartbeat);
    socket.frame(heartbeat);
    await within(
      new Promise<void>((resolve) => {
        this.#arrived = () => {
          if (this.ledger.waiting.length === 0 || this.#end !== undefined) resolve();
        };
        this.#arrived();
      }),
      () => `${this.#options.identity}: no answer to ${this.ledger.waiting.join(", ")}`,
    ).catch((error: Error) => {
      this.ledger.findings.push(error.message);
      socket.cut();
      this.#lost();
    });
    if (this.#end === undefined) return;
    const { code, reason } = this.#end;
    this.ledger.findings.push(`${this.#options.identity}: the connection ended with ${code} ${reason}, for no reason`);
    this.#lost();
  }

  async #expectEnd(socket: RawWebSocket, ending: Ending): Promise<void> {
    const end = await within(socket.ended, `${this.#options.identity}: no end with ${ending}`).catch((error: Error) => {
      this.ledger.findings.push(error.message);
      socket.cut();
      return { code: ending[0] ?? 0 };
    });
    if (!ending.includes(end.code)) {
      this.ledger.findings.push(`${this.#options.identity}: ended with ${end.code} in place of ${ending}`);
    }
    this.tally.ends.set(end.code, (this.tally.ends.get(end.code) ?? 0) + 1);
    this.#lost();
  }

  #lost(): void {
    this.#socket = undefined;
    this.ledger.forget();
  }

  #nextId(): string {
    this.#number++;
    return `f${this.#number.toString(36)}`;
  }
}

/** The promise, or an error when it takes far too long. */
async function within<Value>(promise: Promise<Value>, otherwise: string | (() => string)): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(typeof otherwise === "string" ? otherwise : otherwise()));
    }, PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
