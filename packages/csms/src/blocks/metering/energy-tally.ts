import {
  type EnergyFacts,
  type EnergyFlow,
  type EnergyNote,
  type EnergySample,
  type EnergyTotal,
  edgeOf,
  energyOf,
} from "./energy.ts";
import { isPlausibleStep, type RegisterReading } from "./register-series.ts";

/** What bounds a transaction's energy; see {@link EnergyFacts}. */
export type EnergyBounds = Omit<EnergyFacts, "samples">;

/** A series that came in order: its first two values, its last, and for intervals the sum before the last. */
interface Series {
  readonly flow: EnergyFlow;
  readonly kind: EnergySample["kind"];
  readonly location: string;
  readonly phase?: string;
  first: Point;
  second?: Point;
  last: Point;
  /** Intervals only: sum of all but the last, in thousandths of a watt-hour. */
  sumBeforeLast: number;
}

/** A total that rests on one register which counts on. */
interface RisingTotal {
  readonly bounds: EnergyBounds;
  /** A further series may tell more than this one. */
  readonly seriesCount: number;
  readonly series: Series;
  /** The register's value at the total. */
  milliWh: number;
  total: EnergyTotal;
}

type Point = readonly [atMs: number, milliWh: number, context: string];

/** An {@link EnergyTally} as JSON. */
export type StoredTally = { readonly series: readonly Series[]; readonly incomplete: boolean };

/** Series that one transaction can have: locations times phases. More come only from a station gone wrong. */
const MAX_SERIES = 64;

/** Notes of a total that the few values kept here decide as surely as all values would. */
const CERTAIN: ReadonlySet<EnergyNote> = new Set(["begin-missing", "end-missing"]);

/**
 * Keeps of a transaction's energy values only what the total needs as long as they arrive in order and rise
 * plausibly, which is nearly always: a running total costs no list of all values. When something unusual comes, the
 * tally says so and the total must be taken from all values.
 */
export class EnergyTally {
  readonly #series: Map<string, Series>;
  readonly #rising: { [Flow in EnergyFlow]?: RisingTotal } = {};
  #incomplete: boolean;

  constructor(stored?: StoredTally) {
    this.#series = new Map(stored?.series.map((series) => [keyOf(series, series.last[2]), { ...series }]));
    this.#incomplete = stored?.incomplete ?? false;
  }

  /** Takes the values of one message. */
  add(samples: readonly EnergySample[]): void {
    for (const sample of samples) this.#addOne(sample);
  }

  /**
   * The total of {@link energyOf}, or undefined when only all values can tell. Asking again with the same `bounds`
   * object, which must not have changed, costs little.
   */
  total(bounds: EnergyBounds, flow: EnergyFlow): EnergyTotal | undefined {
    if (this.#incomplete) return undefined;
    return this.#risen(bounds, flow) ?? this.#totalOfSeries(bounds, flow);
  }

  /** Whether any value of this direction was seen. */
  has(flow: EnergyFlow): boolean {
    for (const series of this.#series.values()) if (series.flow === flow) return true;
    return false;
  }

  toJSON(): StoredTally {
    return { series: [...this.#series.values()], incomplete: this.#incomplete };
  }

  #totalOfSeries(bounds: EnergyBounds, flow: EnergyFlow): EnergyTotal | undefined {
    const found = [...this.#series.values()].filter((series) => series.flow === flow);
    const total = energyOf({ ...bounds, samples: found.flatMap(samplesOf) }, flow);
    if (!total.notes.every((note) => CERTAIN.has(note) || note.startsWith("location-"))) return undefined;
    const [only] = found;
    const rises =
      found.length === 1 &&
      only?.second !== undefined &&
      total.method === "register" &&
      bounds.endedAtMs === undefined &&
      bounds.meterStopMilliWh === undefined;
    if (rises) {
      const seriesCount = this.#series.size;
      this.#rising[flow] = { bounds, seriesCount, series: only, milliWh: only.last[1], total };
    } else delete this.#rising[flow];
    return total;
  }

  /** The total after the only register has counted on: it has risen by as much. */
  #risen(bounds: EnergyBounds, flow: EnergyFlow): EnergyTotal | undefined {
    const before = this.#rising[flow];
    if (before === undefined || before.bounds !== bounds || before.seriesCount !== this.#series.size) return undefined;
    const [, milliWh, context] = before.series.last;
    if (edgeOf(context) !== "during") return undefined;
    const total = { ...before.total, milliWh: (before.total.milliWh ?? 0) + milliWh - before.milliWh };
    before.milliWh = milliWh;
    before.total = total;
    return total;
  }

  #addOne(sample: EnergySample): void {
    const point: Point = [sample.atMs, sample.milliWh, sample.context];
    const key = keyOf(sample, sample.context);
    const series = this.#series.get(key);
    if (series === undefined) {
      if (this.#series.size >= MAX_SERIES) {
        this.#incomplete = true;
        return;
      }
      this.#series.set(key, {
        flow: sample.flow,
        kind: sample.kind,
        location: sample.location,
        ...(sample.phase === undefined ? {} : { phase: sample.phase }),
        first: point,
        last: point,
        sumBeforeLast: 0,
      });
      return;
    }
    const [lastAtMs, lastMilliWh, lastContext] = series.last;
    if (point[0] === lastAtMs && point[1] === lastMilliWh && point[2] === lastContext) return;
    if (!continues(series, point)) {
      this.#incomplete = true;
      return;
    }
    series.second ??= point;
    series.sumBeforeLast += lastMilliWh;
    series.last = point;
  }
}

/** Clock-aligned intervals are a series of their own, because they measure again what sampled intervals measure. */
function keyOf(of: { flow: string; kind: string; location: string; phase?: string }, context: string): string {
  const clocked = of.kind === "interval" && context === "Sample.Clock";
  return `${of.flow} ${of.kind} ${of.location} ${of.phase ?? ""} ${clocked}`;
}

function continues(series: Series, point: Point): boolean {
  const from = series.last;
  if (point[0] <= from[0]) return false;
  if (series.kind === "interval") return true;
  // An edge out of its place moves to the front or the back, which only all values can show.
  if (point[2] === "Transaction.Begin" || from[2] === "Transaction.End") return false;
  return isPlausibleStep(readingOf(from), readingOf(point), 0);
}

function readingOf(point: Point): RegisterReading {
  return { atMs: point[0], milliWh: point[1], edge: "during" };
}

function samplesOf(series: Series): EnergySample[] {
  const sample = (point: Point, milliWh: number): EnergySample => ({
    atMs: point[0],
    milliWh,
    context: point[2],
    flow: series.flow,
    kind: series.kind,
    location: series.location,
    ...(series.phase === undefined ? {} : { phase: series.phase }),
  });
  if (series.second === undefined) return [sample(series.first, series.first[1])];
  if (series.kind === "interval") {
    return [sample(series.first, series.sumBeforeLast), sample(series.last, series.last[1])];
  }
  return [series.first, series.second, series.last].map((point) => sample(point, point[1]));
}
