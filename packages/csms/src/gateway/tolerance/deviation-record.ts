import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import type { Clock } from "../../clock.ts";
import type { GroupCommit } from "../../database/write-unit.ts";
import { redact } from "../message-log/redaction.ts";
import { countDeviations, type DeviationRow } from "./deviation-store.ts";

/** One time that a station showed a deviation. */
export interface Occurrence {
  readonly stationId: string;
  /** Name of the deviation. */
  readonly deviation: string;
  readonly version: string;
  /** Empty where it cannot be known. */
  readonly action: string;
  /** A payload, or the text of a frame or envelope. */
  readonly evidence?: unknown;
}

/** What {@link DeviationRecord} works with. */
export interface DeviationRecordOptions {
  readonly groupCommit: GroupCommit;
  readonly clock: Clock;
  readonly log: Logger;
  /** Milliseconds between writes. */
  readonly intervalMs: number;
}

interface Counted {
  readonly stationId: string;
  readonly deviation: string;
  occurrences: number;
  firstAtMs: number;
  lastAtMs: number;
  example: Example | undefined;
}

interface Example {
  readonly atMs: number;
  readonly version: string;
  readonly action: string;
  readonly text: string;
}

/** Characters of an example that are kept. */
const mostExampleLength = 2_000;
/** Evidence above this is not copied: it would cost more than the message it came with. */
const mostEvidenceLength = 64 * 1024;
/** Characters of all examples that wait. */
const mostExampleLengths = 4 * 1024 * 1024;
/** How long an example serves before a newer one takes its place. */
const exampleAgeMs = 10 * 60_000;
/** Pairs of station and deviation that are remembered at once, so that a database that is away costs no memory without end. */
const mostWaiting = 50_000;
/** Rows of one unit, so that a storm does not hold a group for long. */
const maxRowsPerUnit = 500;

/**
 * Counts which station showed which deviation, how often, when, and keeps an example without secrets. It is gathered
 * in memory and written every `intervalMs`, never per message, and again later when the database cannot take it.
 */
export class DeviationRecord {
  readonly #options: DeviationRecordOptions;
  readonly #timer: NodeJS.Timeout;
  #waiting = new Map<string, Counted>();
  #exampled = new Map<string, number>();
  #writing: Promise<void> | undefined;
  #isFull = false;
  #exampleLengths = 0;

  constructor(options: DeviationRecordOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.flush(), options.intervalMs);
    this.#timer.unref();
  }

  /** Counts an occurrence. Quick, and never fails. Returns whether the station has not shown it lately, which is worth a line in a log. */
  count(occurrence: Occurrence): boolean {
    const { stationId, deviation } = occurrence;
    const nowMs = this.#options.clock.now().getTime();
    const key = `${deviation} ${stationId}`;
    const isNews = this.#isNews(key, nowMs);
    let counted = this.#waiting.get(key);
    if (counted === undefined) {
      if (this.#waiting.size >= mostWaiting) {
        this.#reportFull();
        return isNews;
      }
      counted = { stationId, deviation, occurrences: 0, firstAtMs: nowMs, lastAtMs: nowMs, example: undefined };
      this.#waiting.set(key, counted);
    }
    counted.occurrences += 1;
    counted.lastAtMs = nowMs;
    if (isNews && this.#exampleLengths < mostExampleLengths) {
      counted.example = exampleOf(occurrence, nowMs);
      this.#exampleLengths += counted.example?.text.length ?? 0;
    }
    return isNews;
  }

  /** Drops what waits of a station that is deleted. */
  forget(stationId: string): void {
    for (const [key, counted] of this.#waiting) if (counted.stationId === stationId) this.#waiting.delete(key);
    for (const key of this.#exampled.keys()) if (key.endsWith(` ${stationId}`)) this.#exampled.delete(key);
  }

  /** Writes what was gathered. Resolves when it was tried; failures are logged and tried again later. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    if (this.#waiting.size === 0) return;
    this.#writing = this.#write();
    try {
      await this.#writing;
    } finally {
      this.#writing = undefined;
    }
  }

  /** Writes the rest and stops. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }

  /** Whether the pair has no example of the last minutes. */
  #isNews(key: string, nowMs: number): boolean {
    const lastMs = this.#exampled.get(key);
    if (lastMs !== undefined && nowMs - lastMs < exampleAgeMs && nowMs >= lastMs) return false;
    if (this.#exampled.size >= mostWaiting) this.#exampled.clear();
    this.#exampled.set(key, nowMs);
    return true;
  }

  #reportFull(): void {
    if (this.#isFull) return;
    this.#isFull = true;
    this.#options.log.warn({ limit: mostWaiting }, "deviations are not recorded: too many wait for the database");
  }

  async #write(): Promise<void> {
    const waiting = [...this.#waiting.values()];
    this.#waiting = new Map();
    this.#isFull = false;
    this.#exampleLengths = 0;
    for (let from = 0; from < waiting.length; from += maxRowsPerUnit) {
      const batch = randomUUID();
      const unit = this.#options.groupCommit.unit();
      for (const counted of waiting.slice(from, from + maxRowsPerUnit))
        unit.add(countDeviations, rowOf(counted, batch));
      try {
        await unit.commit();
      } catch (error) {
        const left = waiting.slice(from);
        this.#options.log.warn(
          { err: error, deviations: left.length },
          "deviations were not written; it is tried again",
        );
        for (const counted of left) this.#keep(counted);
        return;
      }
    }
  }

  /** Puts back what could not be written, before what was counted meanwhile. */
  #keep(counted: Counted): void {
    this.#exampleLengths += counted.example?.text.length ?? 0;
    const key = `${counted.deviation} ${counted.stationId}`;
    const later = this.#waiting.get(key);
    if (later === undefined) {
      if (this.#waiting.size < mostWaiting) this.#waiting.set(key, counted);
      return;
    }
    later.occurrences += counted.occurrences;
    later.firstAtMs = Math.min(later.firstAtMs, counted.firstAtMs);
    later.example ??= counted.example;
  }
}

function exampleOf({ version, action, evidence }: Occurrence, atMs: number): Example | undefined {
  if (evidence === undefined) return undefined;
  return { atMs, version, action, text: textOf(action, evidence) };
}

function textOf(action: string, evidence: unknown): string {
  const text = typeof evidence === "string" ? evidence : written(evidence);
  if (text.length > mostEvidenceLength) return `(${text.length} characters)`;
  const shown = redact(action, text);
  if (shown.length <= mostExampleLength) return shown;
  // A piece of a text, or of texts put together, keeps all of them in memory; a piece of this one keeps this one.
  return ` ${shown.slice(0, mostExampleLength)}… (${shown.length} characters)`.slice(1);
}

function written(evidence: unknown): string {
  try {
    return JSON.stringify(evidence) ?? "";
  } catch {
    return "(cannot be shown)";
  }
}

function rowOf(
  { stationId, deviation, occurrences, firstAtMs, lastAtMs, example }: Counted,
  batch: string,
): DeviationRow {
  return {
    station_id: stationId,
    deviation,
    occurrences,
    first_at: new Date(firstAtMs),
    last_at: new Date(lastAtMs),
    example_at: example === undefined ? null : new Date(example.atMs),
    example_version: example?.version ?? null,
    example_action: example?.action.slice(0, 100) ?? null,
    example: example?.text ?? null,
    batch,
  };
}
