import type { Clock, Timer } from "../clock.ts";
import type { Settings } from "../configuration/settings.ts";
import type { Session } from "../transactions/session.ts";
import type { MeterSample } from "./meter-sample.ts";

/** What clock-aligned metering needs from its station. */
export interface MeteringHost {
  readonly clock: Clock;
  readonly settings: Readonly<Settings>;
  readonly sessions: readonly Session[];
  stationTime(): number;
  /** Reports values outside transactions. */
  sendMeterValues(evseId: number, sample: MeterSample): void;
}

/** Samples at full multiples of an interval since midnight (J01, J02; OCPP 1.6 §3.16, ClockAlignedDataInterval). */
export class AlignedMetering {
  readonly #host: MeteringHost;
  #timer: Timer | undefined;
  #endedTimer: Timer | undefined;

  constructor(host: MeteringHost) {
    this.#host = host;
  }

  /** Starts, or starts anew after an interval was configured. */
  start(): void {
    this.halt();
    this.#arm();
    this.#armEnded();
  }

  halt(): void {
    this.#timer?.cancel();
    this.#endedTimer?.cancel();
    this.#timer = undefined;
    this.#endedTimer = undefined;
  }

  #untilNext(intervalS: number): number {
    const intervalMs = intervalS * 1000;
    return intervalMs - (this.#host.stationTime() % intervalMs);
  }

  #arm(): void {
    const { alignedIntervalS } = this.#host.settings;
    if (alignedIntervalS <= 0) return;
    this.#timer = this.#host.clock.setTimer(this.#untilNext(alignedIntervalS), () => {
      this.#arm();
      this.#sample();
    });
  }

  #armEnded(): void {
    const { alignedTxEndedIntervalS, alignedTxEndedMeasurands } = this.#host.settings;
    if (alignedTxEndedIntervalS <= 0 || alignedTxEndedMeasurands.length === 0) return;
    this.#endedTimer = this.#host.clock.setTimer(this.#untilNext(alignedTxEndedIntervalS), () => {
      this.#armEnded();
      for (const session of this.#host.sessions) session.keepAlignedSample();
    });
  }

  #sample(): void {
    const { sessions, settings } = this.#host;
    if (settings.alignedOnlyDuringIdle && sessions.some((session) => session.transaction !== undefined)) return;
    for (const session of sessions) {
      if (session.transaction !== undefined) {
        session.report("MeterValueClock", "Sample.Clock");
        continue;
      }
      const sample = session.sampling.take("Sample.Clock", settings.alignedMeasurands, "aligned");
      if (sample !== undefined) this.#host.sendMeterValues(session.evse.id, sample);
    }
  }
}
