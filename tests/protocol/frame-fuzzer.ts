import type { OcppVersion } from "@polyphase/ocpp";
import { SeededRandom } from "./seeded-random.ts";

/** A value that JSON can hold. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const HOSTILE_KEYS = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "then",
  "",
  "\u0000",
  "length",
];
const HOSTILE_TEXTS = [
  "__proto__",
  "\u0000",
  "\ud800",
  "\ufeff",
  "💥".repeat(50),
  "x".repeat(300),
  "-1",
  "1",
  "Heartbeat",
  "Heartbeat-Signed",
];
const HOSTILE_NUMBERS = [0, -0, -1, 1e308, 2 ** 53, 0.1, 1e-7];

const VALID: readonly (readonly Json[])[] = [
  [2, "1", "Heartbeat", {}],
  [2, "1", "DataTransfer", { vendorId: "v", data: "d" }],
  [2, "2", "StatusNotification", { connectorId: 1, errorCode: "NoError", status: "Available" }],
  [2, "3", "StartTransaction", { connectorId: 1, idTag: "T", meterStart: 0, timestamp: "2026-01-01T00:00:00Z" }],
  [2, "4", "BootNotification", { reason: "PowerUp", chargingStation: { model: "m", vendorName: "v" } }],
  [
    2,
    "5",
    "TransactionEvent",
    {
      eventType: "Updated",
      seqNo: 1,
      triggerReason: "MeterValuePeriodic",
      timestamp: "2026-01-01T00:00:00Z",
      transactionInfo: { transactionId: "tx" },
      meterValue: [{ timestamp: "2026-01-01T00:00:00Z", sampledValue: [{ value: 1.5, context: "Sample.Periodic" }] }],
    },
  ],
  [2, "6", "ClearCache", {}],
  [2, "7", "Heartbeat-Signed", { payload: "e30", protected: "e30", signature: "AA" }],
  [3, "1", { currentTime: "2026-01-01T00:00:00Z" }],
  [4, "1", "GenericError", "", {}],
  [5, "1", "FormatViolation", "", {}],
  [
    6,
    "1",
    "NotifyPeriodicEventStream",
    { id: 1, pending: 0, basetime: "2026-01-01T00:00:00Z", data: [{ t: 0, v: "1" }] },
  ],
];

/** Makes frames that go wrong in one way or another, always the same ones for the same seed. */
export class FrameFuzzer {
  readonly #random: SeededRandom;
  readonly #valid: readonly (readonly Json[])[];
  readonly #types: readonly number[];

  /** `valid` are the frames that are spoilt; a few of every kind when absent. */
  constructor(version: OcppVersion, seed: number, valid: readonly (readonly Json[])[] = VALID) {
    this.#random = new SeededRandom(seed);
    this.#valid = valid;
    this.#types = version === "2.1" ? [2, 3, 4, 5, 6] : [2, 3, 4];
  }

  /** One text: a valid frame, a spoilt one, JSON of any shape, or no JSON. */
  frame(): string {
    switch (this.#below(12)) {
      case 0:
        return JSON.stringify(this.#anyValid());
      case 1:
        return this.#cut(JSON.stringify(this.#anyValid()));
      case 2:
        return this.#scratch(JSON.stringify(this.#anyValid()));
      case 3:
        return this.#text();
      case 4:
        return JSON.stringify(this.#json(4));
      case 5:
        return JSON.stringify([this.#pick(this.#types), ...this.#list(5, () => this.#json(3))]);
      case 6:
        return this.#nested();
      case 7:
        return this.#huge();
      case 8:
        return this.#hostile();
      case 9:
        return `${JSON.stringify(this.#anyValid())}${this.#pick(["\u0000", ",", "]", " ", "\n[]", "\ufeff"])}`;
      default:
        return JSON.stringify(this.#spoil(this.#anyValid()));
    }
  }

  /** Bytes of a valid frame of which some were overwritten; mostly no UTF-8. */
  bytes(): Buffer {
    const bytes = Buffer.from(JSON.stringify(this.#anyValid()));
    for (let count = 1 + this.#below(3); count > 0; count--) bytes[this.#below(bytes.length)] = this.#below(256);
    return bytes;
  }

  #list<T>(most: number, make: () => T): T[] {
    return Array.from({ length: this.#below(most + 1) }, make);
  }

  #anyValid(): Json[] {
    return structuredClone(this.#pick(this.#valid)) as Json[];
  }

  #below(limit: number): number {
    return this.#random.below(limit);
  }

  #pick<T>(items: readonly T[]): T {
    return this.#random.pick(items);
  }

  #text(): string {
    if (this.#below(3) === 0) return this.#pick(HOSTILE_TEXTS);
    return String.fromCharCode(...this.#list(40, () => this.#below(this.#below(4) === 0 ? 0x10000 : 0x80)));
  }

  #json(depth: number): Json {
    const kind = this.#below(depth > 0 ? 7 : 5);
    if (kind === 0) return null;
    if (kind === 1) return this.#below(2) === 0;
    if (kind === 2) return this.#pick(HOSTILE_NUMBERS);
    if (kind === 3) return this.#below(1_000);
    if (kind === 4) return this.#text();
    if (kind === 5) return this.#list(4, () => this.#json(depth - 1));
    return Object.fromEntries(this.#list(4, () => [this.#key(), this.#json(depth - 1)]));
  }

  #key(): string {
    return this.#below(2) === 0 ? this.#pick(HOSTILE_KEYS) : this.#text();
  }

  #cut(text: string): string {
    return text.slice(0, this.#below(text.length));
  }

  #scratch(text: string): string {
    const at = this.#below(text.length);
    const scratches = [",", "", "null", '"', "}", "\u0000", "\\", "1e999"];
    return text.slice(0, at) + this.#pick(scratches) + text.slice(at + this.#below(3));
  }

  /** Puts something else, nothing, or one thing more somewhere into a value. */
  #spoil(value: Json): Json {
    if (typeof value !== "object" || value === null || this.#below(6) === 0) return this.#json(2);
    if (Array.isArray(value)) {
      const copy = [...value];
      const at = this.#below(copy.length + 1);
      if (at === copy.length) copy.push(this.#json(2));
      else if (this.#below(5) === 0) copy.splice(at, 1);
      else copy[at] = this.#spoil(copy[at] ?? null);
      return copy;
    }
    const entries = Object.entries(value);
    const at = this.#below(entries.length + 1);
    const [key, old] = entries[at] ?? [this.#key(), null];
    if (at < entries.length && this.#below(4) === 0) entries.splice(at, 1);
    else entries[at] = [key, this.#spoil(old)];
    return Object.fromEntries(entries);
  }

  #nested(): string {
    const depth = this.#pick([50, 200, 2_000]);
    const [open, close] = this.#pick([
      ["[", "]"],
      ['{"a":', "}"],
      ['{"customData":{"vendorId":"v","x":', "}}"],
    ] as const);
    const inner = `${open.repeat(depth)}1${this.#below(3) === 0 ? "" : close.repeat(depth)}`;
    return this.#below(2) === 0 ? inner : `[2,"deep","DataTransfer",{"vendorId":"v","data":${inner}}]`;
  }

  #huge(): string {
    const length = this.#pick([10, 30, 100, 100, 300, 5_000]);
    const item = this.#pick(["0", '""', "{}", "[]", "null", '{"timestamp":"2026-01-01T00:00:00Z","sampledValue":[]}']);
    const list = `[${Array.from({ length }, () => item).join(",")}]`;
    return this.#pick([list, `[2,"huge","MeterValues",{"connectorId":1,"meterValue":${list}}]`, `[3,"huge",${list}]`]);
  }

  #hostile(): string {
    const inner = JSON.stringify(this.#json(1));
    const key = JSON.stringify(this.#pick(HOSTILE_KEYS));
    const polluted = `{"polluted":${inner}}`;
    return this.#pick([
      `[2,"1","DataTransfer",{"vendorId":"v",${key}:${polluted}}]`,
      `[2,"1",${key},{${key}:${polluted}}]`,
      `[2,${key},"Heartbeat",{"customData":{"vendorId":"v",${key}:${polluted}}}]`,
      `{"__proto__":${polluted},"0":2,"length":4}`,
      `[3,${key},{${key}:${polluted}}]`,
      `[4,${key},${key},${key},{${key}:${polluted}}]`,
    ]);
  }
}
