import type { Clock, Timer } from "../clock.ts";
import type { Settings } from "../configuration/settings.ts";
import type { Evse } from "../evse/evse.ts";
import { type Measurand, type MeterSample, type SampleContext, takeSample } from "./meter-sample.ts";

/** What sampling needs from its station. */
export interface SamplingHost {
  readonly clock: Clock;
  readonly settings: Readonly<Settings>;
  stationTime(): number;
}

/** Values that are reported at different times have each an energy interval of their own. */
export type SampleSeries = "started" | "updated" | "ended" | "aligned" | "alignedEnded" | "trigger";

const allSeries: readonly SampleSeries[] = ["started", "updated", "ended", "aligned", "alignedEnded", "trigger"];

/** Samples for the Ended event that a station keeps; beyond it every second one is dropped (E06.FR.13). */
const MOST_ENDED_SAMPLES = 200;

/** Samples of one EVSE: at the intervals of a transaction, and when asked for (J01, J02). */
export class SessionSampling {
  readonly #evse: Evse;
  readonly #host: SamplingHost;
  readonly #registerAtLast = new Map<SampleSeries, number>();
  #ended: MeterSample[] = [];
  #updatedTimer: Timer | undefined;
  #endedTimer: Timer | undefined;

  constructor(evse: Evse, host: SamplingHost) {
    this.#evse = evse;
    this.#host = host;
  }

  /** Samples for the Ended event, the first and the last of the transaction among them. */
  get ended(): readonly MeterSample[] {
    return this.#ended;
  }

  /** Takes a sample; the Interval measurand counts from the previous sample of the same series. */
  take(context: SampleContext, measurands: readonly Measurand[], series: SampleSeries): MeterSample | undefined {
    const registerWh = this.#evse.meterWh;
    const intervalWh = registerWh - (this.#registerAtLast.get(series) ?? registerWh);
    this.#registerAtLast.set(series, registerWh);
    return takeSample(this.#evse, this.#host.stationTime(), context, measurands, intervalWh);
  }

  /** A transaction begins: all intervals count from here. */
  begin(): void {
    const registerWh = this.#evse.meterWh;
    for (const series of allSeries) this.#registerAtLast.set(series, registerWh);
    this.#ended = [];
    this.keep("Transaction.Begin");
  }

  /** Keeps a sample for the Ended event. */
  keep(context: "Transaction.Begin" | "Sample.Periodic" | "Transaction.End" | "Sample.Clock"): void {
    const { txEndedMeasurands, alignedTxEndedMeasurands } = this.#host.settings;
    const sample =
      context === "Sample.Clock"
        ? this.take(context, alignedTxEndedMeasurands, "alignedEnded")
        : this.take(context, txEndedMeasurands, "ended");
    if (sample === undefined) return;
    this.#ended.push(sample);
    if (this.#ended.length <= MOST_ENDED_SAMPLES) return;
    const last = this.#ended.length - 1;
    this.#ended = this.#ended.filter((_, index) => index === last || index % 2 === 0);
  }

  /** Starts the intervals of a transaction, or starts them anew; `due` is called whenever values are to be reported. */
  start(due: () => void): void {
    this.stop();
    this.#armUpdated(due);
    this.#armEnded();
  }

  stop(): void {
    this.#updatedTimer?.cancel();
    this.#endedTimer?.cancel();
  }

  #armUpdated(due: () => void): void {
    const { txUpdatedIntervalS } = this.#host.settings;
    if (txUpdatedIntervalS <= 0) return;
    this.#updatedTimer = this.#host.clock.setTimer(txUpdatedIntervalS * 1000, () => {
      this.#armUpdated(due);
      due();
    });
  }

  #armEnded(): void {
    const { txEndedIntervalS, txEndedMeasurands } = this.#host.settings;
    if (txEndedIntervalS <= 0 || txEndedMeasurands.length === 0) return;
    this.#endedTimer = this.#host.clock.setTimer(txEndedIntervalS * 1000, () => {
      this.#armEnded();
      this.keep("Sample.Periodic");
    });
  }
}
