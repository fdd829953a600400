import type { Ocpp16, Ocpp21 } from "@polyphase/ocpp";
import type { Logger } from "pino";
import type { Clock } from "../../clock.ts";
import { ConcurrencyLimit } from "../../gateway/concurrency-limit.ts";
import {
  CommandNotSupportedError,
  type StationCallOptions,
  type StationCalls,
  StationOfflineError,
} from "../../gateway/station-messages.ts";
import { stationDate } from "../../gateway/station-time.ts";
import type { StationDeviations } from "../../gateway/tolerance/conduct.ts";
import { variableOfKey } from "./configuration-keys.ts";
import { ReportCollector } from "./report-collector.ts";
import type { InventoryStatus } from "./station.ts";
import type { StationDirectory } from "./station-directory.ts";
import { updateInventory } from "./station-store.ts";
import type { Timers } from "./timers.ts";
import { addressOf, type ReportedVariable } from "./variable.ts";
import type { Addition, TimedValue, VariableRecords } from "./variable-records.ts";
import { deleteStale } from "./variable-store.ts";

/** How the variables of stations are fetched. */
export interface InventoryRules {
  /** Wait after a boot, since some stations break when they are asked at once. */
  readonly delayMs: number;
  /** Wait for the next part of a report. */
  readonly reportPatienceMs: number;
  /** Attempts at each boot. */
  readonly attempts: number;
  /** Wait between attempts. */
  readonly retryMs: number;
  /** Stations that are asked at once. */
  readonly stationsAtOnce: number;
}

/** Rules that serve most. */
export const defaultInventoryRules: InventoryRules = {
  delayMs: 2_000,
  reportPatienceMs: 60_000,
  attempts: 3,
  retryMs: 60_000,
  stationsAtOnce: 50,
};

/** What {@link Inventory} works with. */
export interface InventoryOptions {
  readonly directory: StationDirectory;
  readonly records: VariableRecords;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
  readonly calls: () => StationCalls | undefined;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly rules: InventoryRules;
  readonly deviations: StationDeviations;
}

/** Knows the variables of each station: asks for them after every boot (B07.FR.14; 1.6 §5.8) and keeps the answers. */
export class Inventory {
  readonly #options: InventoryOptions;
  readonly #reports: ReportCollector;
  readonly #limit: ConcurrencyLimit;
  readonly #cancelOf = new Map<string, () => void>();
  /** When the report that is under way was asked for; what was reported before and not again is gone. */
  readonly #askedAt = new Map<string, Date>();
  #closed = false;

  constructor(options: InventoryOptions) {
    const { timers, rules } = options;
    this.#options = options;
    this.#reports = new ReportCollector(timers, rules.reportPatienceMs, options.deviations);
    this.#limit = new ConcurrencyLimit({ concurrent: rules.stationsAtOnce, queued: Number.POSITIVE_INFINITY });
  }

  /** Fetches the station's variables a little later, unless that is planned already. */
  plan(stationId: string): void {
    this.#reports.giveUp(stationId);
    this.#planAttempt(stationId, 1, this.#options.rules.delayMs);
  }

  /** Ends what is planned and under way. */
  close(): void {
    this.#closed = true;
    for (const cancel of this.#cancelOf.values()) cancel();
    this.#cancelOf.clear();
    this.#reports.close();
  }

  /** Forgets a station that was deleted. */
  forget(stationId: string): void {
    this.#cancelOf.get(stationId)?.();
    this.#cancelOf.delete(stationId);
    this.#reports.giveUp(stationId);
  }

  #planAttempt(stationId: string, attempt: number, delayMs: number): void {
    this.#cancelOf.get(stationId)?.();
    if (this.#closed) return;
    const cancel = this.#options.timers.after(delayMs, () => {
      this.#cancelOf.delete(stationId);
      void this.#limit.run(() => this.#attempt(stationId, attempt));
    });
    this.#cancelOf.set(stationId, cancel);
  }

  async #attempt(stationId: string, attempt: number): Promise<void> {
    const { directory, log, rules } = this.#options;
    const calls = this.#options.calls();
    const session = calls?.session(stationId);
    if (this.#closed || calls === undefined || session === undefined) return;
    if (directory.find(stationId)?.registrationStatus !== "Accepted") return;
    directory.change(stationId, { inventoryStatus: "Requested", inventoryAt: this.#options.clock.now() });
    let status: InventoryStatus;
    try {
      status =
        session.family === 1 ? await this.fetchKeys(calls, stationId) : await this.#fetchReport(calls, stationId);
    } catch (error) {
      status = error instanceof CommandNotSupportedError ? "NotSupported" : "Failed";
      log[error instanceof StationOfflineError ? "debug" : "warn"]({ stationId, err: error }, "variables not fetched");
    }
    await this.#conclude(stationId, status);
    const again = status === "Failed" || status === "Incomplete";
    if (again && attempt < rules.attempts) this.#planAttempt(stationId, attempt + 1, rules.retryMs);
  }

  /** Asks a station of family 1 for all its keys and stores them. */
  async fetchKeys(calls: StationCalls, stationId: string, options?: StationCallOptions): Promise<InventoryStatus> {
    const { clock, records } = this.#options;
    const askedAt = clock.now();
    const { configurationKey } = await calls.call1(stationId, "GetConfiguration", {}, options);
    // No station has no key at all; some answer nothing when they are busy.
    if (configurationKey === undefined || configurationKey.length === 0) return "Failed";
    const now = clock.now();
    const reported = configurationKey.map((keyValue) => variableOf(keyValue, now));
    await records.storeReported(stationId, reported, now, this.#completion(stationId, askedAt, now));
    this.#remember(stationId, "Complete", now);
    return "Complete";
  }

  async #fetchReport(calls: StationCalls, stationId: string): Promise<InventoryStatus> {
    const requestId = 1 + Math.floor(this.#options.random() * (2 ** 31 - 2));
    this.#askedAt.set(stationId, this.#options.clock.now());
    // Expected before the call: the first part may overtake the answer.
    const report = this.#reports.expect(stationId, requestId);
    try {
      const request = { requestId, reportBase: "FullInventory" } as const;
      const { status } = await calls.call2(stationId, "GetBaseReport", request);
      if (status === "Accepted") return await report;
      return status === "Rejected" ? "Failed" : "NotSupported";
    } finally {
      this.#reports.giveUp(stationId);
    }
  }

  /** Stores a part of a report (B07, B08), whether it was asked for here or not. */
  async receivePart(stationId: string, request: Ocpp21.NotifyReportRequest, receivedAt: Date): Promise<void> {
    const { requestId, seqNo, tbc = false } = request;
    const generatedAt = stationDate(request.generatedAt, receivedAt);
    const reported = (request.reportData ?? []).flatMap((entry) => attributesOf(entry, generatedAt));
    const askedAt = this.#askedAtNotAfter(stationId, receivedAt);
    const complete = this.#reports.completes(stationId, requestId, seqNo, tbc) && askedAt !== undefined;
    const completion = complete ? this.#completion(stationId, askedAt, receivedAt) : undefined;
    await this.#options.records.storeReported(stationId, reported, receivedAt, completion);
    if (complete) this.#remember(stationId, "Complete", receivedAt);
    this.#reports.stored(stationId, requestId, seqNo, tbc);
  }

  /**
   * When the report was asked for, by the earliest time that the clock has shown since: a clock that was set back must
   * not make what was just reported look older than the question.
   */
  #askedAtNotAfter(stationId: string, receivedAt: Date): Date | undefined {
    const askedAt = this.#askedAt.get(stationId);
    if (askedAt === undefined || askedAt <= receivedAt) return askedAt;
    this.#askedAt.set(stationId, receivedAt);
    return receivedAt;
  }

  #completion(stationId: string, askedAt: Date, at: Date): Addition {
    const since = askedAt < at ? askedAt : at;
    return (unit) => {
      unit.add(deleteStale, { station_id: stationId, reported_since: since.toISOString() });
      unit.add(updateInventory, inventoryRow(stationId, "Complete", at));
    };
  }

  #remember(stationId: string, inventoryStatus: InventoryStatus, inventoryAt: Date): void {
    this.#options.directory.change(stationId, { inventoryStatus, inventoryAt });
  }

  async #conclude(stationId: string, status: InventoryStatus): Promise<void> {
    const { clock, log, records } = this.#options;
    if (status === "Complete") {
      log.debug({ stationId }, "variables fetched");
      return;
    }
    const at = clock.now();
    this.#remember(stationId, status, at);
    log.info({ stationId, status }, "variables not completely known");
    try {
      const note: Addition = (unit) => unit.add(updateInventory, inventoryRow(stationId, status, at));
      await records.storeValues(stationId, [], at, note);
    } catch (error) {
      log.warn({ stationId, err: error }, "the status of the inventory was not stored");
    }
  }
}

const inventoryRow = (stationId: string, status: InventoryStatus, at: Date) => ({
  station_id: stationId,
  inventory_status: status,
  inventory_at: at.toISOString(),
});

function variableOf(keyValue: Ocpp16.KeyValue, timestamp: Date): ReportedVariable & TimedValue {
  const { component, variable, dataType } = variableOfKey(keyValue.key);
  return {
    ...addressOf(component, variable),
    attribute: "Actual",
    value: keyValue.value,
    mutability: keyValue.readonly ? "ReadOnly" : "ReadWrite",
    ...(dataType === undefined ? {} : { characteristics: { dataType, supportsMonitoring: false } }),
    timestamp,
  };
}

function attributesOf(entry: Ocpp21.ReportDataType, timestamp: Date): (ReportedVariable & TimedValue)[] {
  const address = addressOf(entry.component, entry.variable);
  return entry.variableAttribute.map((attribute) => ({
    ...address,
    // VariableAttributeType: Actual when absent, ReadWrite when absent.
    attribute: attribute.type ?? "Actual",
    value: attribute.value,
    mutability: attribute.mutability ?? "ReadWrite",
    persistent: attribute.persistent ?? false,
    constant: attribute.constant ?? false,
    characteristics: entry.variableCharacteristics,
    timestamp,
  }));
}
