import type { StationDeviations } from "../../gateway/tolerance/conduct.ts";
import type { Timers } from "./timers.ts";

/** How a report that was asked for came in. */
export type ReportOutcome = "Complete" | "Incomplete";

interface ExpectedReport {
  readonly requestId: number;
  readonly received: Set<number>;
  last: number | undefined;
  cancelTimer: () => void;
  readonly finish: (outcome: ReportOutcome) => void;
}

/**
 * Knows when all parts of a report have come. Parts are numbered from 0 (B07.FR.10), by some stations from 1, and
 * come in any order; `tbc` is false or absent on the last one.
 */
export class ReportCollector {
  readonly #timers: Timers;
  readonly #patienceMs: number;
  readonly #deviations: StationDeviations;
  readonly #expected = new Map<string, ExpectedReport>();

  /** @param patienceMs after so long without a part the report is Incomplete */
  constructor(timers: Timers, patienceMs: number, deviations: StationDeviations) {
    this.#timers = timers;
    this.#patienceMs = patienceMs;
    this.#deviations = deviations;
  }

  /** Expects a report. One that was expected of the station before is given up as Incomplete. */
  expect(stationId: string, requestId: number): Promise<ReportOutcome> {
    this.giveUp(stationId);
    return new Promise((resolve) => {
      const report: ExpectedReport = {
        requestId,
        received: new Set(),
        last: undefined,
        cancelTimer: () => undefined,
        finish: (outcome) => {
          report.cancelTimer();
          if (this.#expected.get(stationId) === report) this.#expected.delete(stationId);
          resolve(outcome);
        },
      };
      this.#expected.set(stationId, report);
      this.#wait(report);
    });
  }

  /** Whether all parts have come when this one has been stored. False for a report that nobody expects. */
  completes(stationId: string, requestId: number, seqNo: number, tbc: boolean): boolean {
    const report = this.#find(stationId, requestId);
    if (report === undefined) return false;
    const last = tbc ? report.last : seqNo;
    if (last === undefined) return false;
    const received = new Set(report.received).add(seqNo);
    const first = received.has(0) || !this.#deviations.tolerates(stationId, "report-from-one") ? 0 : 1;
    for (let part = Math.min(first, last); part <= last; part += 1) if (!received.has(part)) return false;
    return true;
  }

  /** Notes a part that has been stored. */
  stored(stationId: string, requestId: number, seqNo: number, tbc: boolean): void {
    const report = this.#find(stationId, requestId);
    if (report === undefined) return;
    const complete = this.completes(stationId, requestId, seqNo, tbc);
    report.received.add(seqNo);
    if (!tbc) report.last = seqNo;
    if (complete) {
      if (!report.received.has(0)) this.#deviations.showed(stationId, "report-from-one", { requestId, seqNo });
      report.finish("Complete");
    } else this.#wait(report);
  }

  /** Ends the wait for a station's report. */
  giveUp(stationId: string): void {
    this.#expected.get(stationId)?.finish("Incomplete");
  }

  /** Ends every wait. */
  close(): void {
    for (const report of [...this.#expected.values()]) report.finish("Incomplete");
  }

  #find(stationId: string, requestId: number): ExpectedReport | undefined {
    const report = this.#expected.get(stationId);
    return report?.requestId === requestId ? report : undefined;
  }

  #wait(report: ExpectedReport): void {
    report.cancelTimer();
    report.cancelTimer = this.#timers.after(this.#patienceMs, () => report.finish("Incomplete"));
  }
}
