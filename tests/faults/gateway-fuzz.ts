import { type OcppVersion, ocppVersions, soapVersions } from "@polyphase/ocpp";
import { eventually, listAll, type RunningCsms, runCsms } from "../system/running-csms.ts";
import { HonestLane } from "./honest-lane.ts";
import { JsonFuzzLane } from "./json-fuzz-lane.ts";
import { growthFinding, inMebibytes, liveHeapBytes } from "./live-heap.ts";
import { LogLines } from "./log-lines.ts";
import { SoapFuzzLane } from "./soap-fuzz-lane.ts";

/** How much is fuzzed. */
export interface FuzzOptions {
  /** WebSocket frames and SOAP requests together, at least. */
  readonly frames: number;
  /** The same seed makes the same frames. */
  readonly seed: number;
  /** Told now and then how far it is. */
  report?(line: string): void;
}

/** What came of it. */
export interface FuzzSummary {
  readonly seed: number;
  readonly frames: number;
  readonly soapRequests: number;
  readonly soapStatuses: Readonly<Record<number, number>>;
  readonly results: number;
  readonly errors: number;
  readonly connections: number;
  readonly closeCodes: Readonly<Record<number, number>>;
  readonly callsOfCsms: number;
  readonly honestEvents: number;
  readonly honestSlowestMs: number;
  readonly logLines: number;
  /** Messages that failed because the machine was too busy for its database. */
  readonly slowDatabase: number;
  readonly durationS: number;
  /** Live bytes of the heap after a part of the frames, and after all; lanes closed both times. */
  readonly heapBeforeBytes: number;
  readonly heapAfterBytes: number;
  /** What must not be; empty when all is well. */
  readonly findings: readonly string[];
}

/** The part of all frames, and the most of them, after which memory is looked at for the first time. */
const WARM_UP_SHARE = 0.25;
const MOST_WARM_UP_FRAMES = 50_000;
/** Of 8 frames one is a SOAP request. */
const SOAP_SHARE = 1 / 8;
const CALL_TIMEOUT_S = 2;

const failuresOf = /^polyphase_station_failures_total (\d+)$/m;

/**
 * Lets stations of every version say anything to a whole CSMS, while an honest one charges, and sees that every CALL is
 * answered, nothing crashes and memory returns.
 */
export async function fuzzGateway(options: FuzzOptions): Promise<FuzzSummary> {
  const log = new LogLines();
  const running = await runCsms({ POLYPHASE_LOG_LEVEL: "warn", POLYPHASE_CALL_TIMEOUT: String(CALL_TIMEOUT_S) }, log);
  const fuzz = new GatewayFuzz(running, options, log);
  try {
    return await fuzz.run();
  } finally {
    await running.close();
  }
}

class GatewayFuzz {
  readonly #running: RunningCsms;
  readonly #options: FuzzOptions;
  readonly #log: LogLines;
  readonly #json: readonly JsonFuzzLane[];
  readonly #soap: readonly SoapFuzzLane[];
  readonly #findings: string[] = [];

  constructor(running: RunningCsms, options: FuzzOptions, log: LogLines) {
    this.#running = running;
    this.#options = options;
    this.#log = log;
    const port = running.csms.ocppPort;
    this.#json = ocppVersions.flatMap((version: OcppVersion, index) =>
      [false, true].map(
        (compression) =>
          new JsonFuzzLane({
            ...{ port, version, compression, identity: `FUZZ-${version}${compression ? "-Z" : ""}` },
            seed: options.seed + 100 * index + (compression ? 50 : 0),
          }),
      ),
    );
    this.#soap = soapVersions.map((version, index) => {
      const seed = options.seed + 1_000 + index;
      return new SoapFuzzLane({ url: running.urlFor("1.5"), version, identity: `FUZZ-S${version}`, seed });
    });
  }

  async run(): Promise<FuzzSummary> {
    const failed = (error: unknown) => {
      this.#findings.push(`unhandled: ${error instanceof Error ? error.stack : String(error)}`);
    };
    process.on("unhandledRejection", failed);
    const startedMs = performance.now();
    try {
      const honest = await HonestLane.start(this.#running, "FUZZ-HONEST");
      const warmUpFrames = Math.min(this.#options.frames * WARM_UP_SHARE, MOST_WARM_UP_FRAMES);
      await this.#send(warmUpFrames);
      const heapBeforeBytes = await this.#settledHeapBytes();
      await this.#send(this.#options.frames - warmUpFrames);
      const heapAfterBytes = await this.#settledHeapBytes();
      const growth = growthFinding(heapBeforeBytes, heapAfterBytes);
      if (growth !== undefined) this.#findings.push(growth);
      await honest.end();
      await this.#expectNobody();
      const durationS = (performance.now() - startedMs) / 1_000;
      return this.#summary(honest, { heapBeforeBytes, heapAfterBytes, durationS });
    } finally {
      process.off("unhandledRejection", failed);
      for (const lane of this.#soap) lane.close();
    }
  }

  async #send(frames: number): Promise<void> {
    const rounds = Math.max(1, Math.round(frames / 20_000));
    const perJson = (frames * (1 - SOAP_SHARE)) / rounds / this.#json.length;
    const perSoap = (frames * SOAP_SHARE) / rounds / this.#soap.length;
    for (let round = 0; round < rounds; round++) {
      await Promise.all([
        ...this.#json.map((lane) => lane.run(perJson)),
        ...this.#soap.map((lane) => lane.run(Math.ceil(perSoap))),
        this.#command(),
      ]);
      await this.#look();
      const { frames: done } = this.#figures();
      const live = this.#options.report === undefined ? "" : inMebibytes(liveHeapBytes());
      this.#options.report?.(`${done} frames, ${this.#allFindings().length} findings, live heap ${live}`);
      if (this.#allFindings().length > 0) return;
    }
  }

  /** Calls the lanes by the API, whatever comes of it. */
  async #command(): Promise<void> {
    for (const stationId of ["FUZZ-1.6", "FUZZ-2.0.1", "FUZZ-2.1-Z", "FUZZ-1.2", "FUZZ-S1.5"]) {
      const { status } = await this.#running.api("POST", `/stations/${stationId}/calls`, {
        action: "ClearCache",
        payload: {},
      });
      if (status === 500) this.#findings.push(`a call to ${stationId} was answered with 500`);
    }
  }

  /** Whether lists can be read whatever the stations said, and no message failed for reasons of ours. */
  async #look(): Promise<void> {
    const stations = this.#json.map((_, index) => `FUZZ-${ocppVersions[index % ocppVersions.length]}`);
    const paths = [
      ...["/stations?limit=100", "/transactions?limit=100", "/events?limit=100"],
      ...stations.flatMap((id) => ["", "/variables", "/messages"].map((part) => `/stations/${id}${part}`)),
    ];
    for (const path of paths) {
      const { status, body } = await this.#running.api("GET", path);
      if (status === 503) continue;
      if (status !== 200) this.#findings.push(`GET ${path}: ${status} ${JSON.stringify(body)}`);
    }
    const failures = Number(failuresOf.exec(await this.#metrics())?.[1]) - this.#log.slowDatabase;
    if (failures > 0) this.#findings.push(`${failures} messages failed for reasons of ours`);
  }

  async #settledHeapBytes(): Promise<number> {
    for (const lane of this.#json) await lane.close();
    // Calls that got no answer are given up by then, and the message log is written.
    await new Promise((resolve) => setTimeout(resolve, CALL_TIMEOUT_S * 1_000 + 1_000));
    return liveHeapBytes();
  }

  /** Stations of OCPP-S have no connection to lose; of the others none may be left. */
  async #expectNobody(): Promise<void> {
    await eventually("the end of all connections", async () => {
      const stations = await listAll(this.#running.csms.httpUrl, "/stations");
      const isLeft = stations.some(({ connected, transport }) => connected === true && transport === "OCPP-J");
      return isLeft ? undefined : true;
    }).catch((error: Error) => this.#findings.push(error.message));
  }

  async #metrics(): Promise<string> {
    return await (await fetch(`${this.#running.csms.httpUrl}/metrics`)).text();
  }

  #allFindings(): readonly string[] {
    return [
      ...this.#findings,
      ...this.#log.findings,
      ...this.#json.flatMap((lane) => lane.ledger.findings),
      ...this.#soap.flatMap((lane) => lane.findings),
    ];
  }

  #figures() {
    const soapRequests = sum(this.#soap.map((lane) => lane.requests));
    const json = sum(this.#json.map((lane) => lane.tally.frames));
    return { soapRequests, frames: json + soapRequests };
  }

  #summary(
    honest: HonestLane,
    measured: Pick<FuzzSummary, "heapBeforeBytes" | "heapAfterBytes" | "durationS">,
  ): FuzzSummary {
    return {
      seed: this.#options.seed,
      ...this.#figures(),
      soapStatuses: added(this.#soap.map((lane) => lane.statuses)),
      results: sum(this.#json.map((lane) => lane.ledger.answered)),
      errors: sum(this.#json.map((lane) => lane.ledger.refused)),
      connections: sum(this.#json.map((lane) => lane.tally.connections)),
      closeCodes: added(this.#json.map((lane) => lane.tally.ends)),
      callsOfCsms: sum(this.#json.map((lane) => lane.tally.calledByCsms)),
      honestEvents: honest.events,
      honestSlowestMs: Math.round(honest.slowestMs),
      logLines: this.#log.count,
      slowDatabase: this.#log.slowDatabase,
      ...measured,
      findings: [...this.#allFindings(), ...honest.findings],
    };
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function added(counts: readonly ReadonlyMap<number, number>[]): Readonly<Record<number, number>> {
  const total: Record<number, number> = {};
  for (const each of counts) for (const [key, count] of each) total[key] = (total[key] ?? 0) + count;
  return total;
}
