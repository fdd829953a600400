import {
  type EnergyBounds,
  type EnergySample,
  EnergyTally,
  type EnergyTotal,
  energyOf,
  energySamplesOf,
  type MeterValue,
  type StoredTally,
} from "../../metering/index.ts";

/** Measurands of which the last value is shown with a running transaction. */
const SHOWN = new Set(["Power.Active.Import", "Power.Active.Export", "SoC"]);

/** Energy samples that may be added before a total that needs all of them is taken again: a tenth of them. */
const RECOUNT_SHARE = 0.1;

/** What is stored of a {@link TransactionMeter}. */
export interface MeterProgress {
  readonly imported: EnergyTotal;
  readonly exported?: EnergyTotal;
  /** What the energy rests on. */
  readonly tally: StoredTally;
  /** Last values of measurands that are shown with running transactions. */
  readonly shown: { readonly [Measurand: string]: readonly [atMs: number, value: number] };
  /** Span of its stored meter values, in milliseconds since 1970. */
  readonly meteredFromMs?: number;
  readonly meteredToMs?: number;
}

/** What the meter values of a transaction tell together: its energy, what is shown of it, and their span. */
export class TransactionMeter {
  imported: EnergyTotal;
  exported: EnergyTotal | undefined;
  readonly #tally: EnergyTally;
  readonly #shown: { [Measurand: string]: readonly [atMs: number, value: number] };
  #fromMs: number | undefined;
  #toMs: number | undefined;
  /** All energy samples, once the tally does not suffice. */
  #allSamples: EnergySample[] | undefined;
  #countedSamples = 0;

  constructor(stored?: MeterProgress) {
    this.imported = stored?.imported ?? { method: "none", confidence: "none", notes: [] };
    this.exported = stored?.exported;
    this.#tally = new EnergyTally(stored?.tally);
    this.#shown = { ...stored?.shown };
    this.#fromMs = stored?.meteredFromMs;
    this.#toMs = stored?.meteredToMs;
  }

  get progress(): MeterProgress {
    return {
      imported: this.imported,
      ...(this.exported === undefined ? {} : { exported: this.exported }),
      tally: this.#tally.toJSON(),
      shown: this.#shown,
      ...(this.#fromMs === undefined ? {} : { meteredFromMs: this.#fromMs }),
      ...(this.#toMs === undefined ? {} : { meteredToMs: this.#toMs }),
    };
  }

  /** Span of its values, in milliseconds since 1970. */
  get span(): { readonly fromMs: number; readonly toMs: number } | undefined {
    if (this.#fromMs === undefined || this.#toMs === undefined) return undefined;
    return { fromMs: this.#fromMs, toMs: this.#toMs };
  }

  /** The last value of a measurand that is shown with running transactions. */
  shown(measurand: string): number | undefined {
    return this.#shown[measurand]?.[1];
  }

  /**
   * Takes values and tells the energy anew within its bounds. Returns false when that needs all values: call
   * {@link takeAll} with those that are stored.
   */
  take(values: readonly MeterValue[], bounds: EnergyBounds): boolean {
    this.#show(values);
    const samples = energySamplesOf(values);
    this.#tally.add(samples);
    if (this.#allSamples === undefined) return this.#count(bounds);
    this.#allSamples.push(...samples);
    this.#countAll(bounds);
    return true;
  }

  /** Takes all values of the transaction, in any order, repeats included. */
  takeAll(values: readonly MeterValue[], bounds: EnergyBounds): void {
    this.#allSamples = energySamplesOf(values);
    this.#countedSamples = 0;
    this.#countAll(bounds);
  }

  #show(values: readonly MeterValue[]): void {
    for (const { atMs, samples } of values) {
      this.#fromMs = Math.min(this.#fromMs ?? atMs, atMs);
      this.#toMs = Math.max(this.#toMs ?? atMs, atMs);
      for (const { measurand, phase, value } of samples) {
        if (value === undefined || phase !== undefined || !SHOWN.has(measurand)) continue;
        if (atMs >= (this.#shown[measurand]?.[0] ?? Number.NEGATIVE_INFINITY)) {
          this.#shown[measurand] = [atMs, value];
        }
      }
    }
  }

  #count(bounds: EnergyBounds): boolean {
    const imported = this.#tally.total(bounds, "import");
    if (imported === undefined) return false;
    if (this.#tally.has("export")) {
      const exported = this.#tally.total(bounds, "export");
      if (exported === undefined) return false;
      this.exported = exported;
    }
    this.imported = imported;
    return true;
  }

  #countAll(bounds: EnergyBounds): void {
    const samples = this.#allSamples ?? [];
    // A disorderly meter must not make every message cost more than the one before.
    const due = bounds.ended || samples.length >= this.#countedSamples * (1 + RECOUNT_SHARE);
    if (!due) return;
    this.#countedSamples = samples.length;
    const facts = { ...bounds, samples };
    this.imported = energyOf(facts, "import");
    if (samples.some((sample) => sample.flow === "export")) this.exported = energyOf(facts, "export");
  }
}
