import type { MeterValue } from "./meter-sample.ts";
import { type Edge, energyOfRegister, type RegisterNote, type RegisterReading } from "./register-series.ts";

/** Direction of energy: import into the EV, export out of it. */
export type EnergyFlow = "import" | "export";

/** One energy value of a transaction. */
export interface EnergySample {
  /** By the station's clock, in milliseconds since 1970. */
  readonly atMs: number;
  /** In thousandths of a watt-hour, an integer. */
  readonly milliWh: number;
  readonly flow: EnergyFlow;
  /** A register counts on; an interval tells the energy since the reading before it. */
  readonly kind: "register" | "interval";
  readonly context: string;
  readonly location: string;
  readonly phase?: string;
}

/** All that is known about a transaction's energy. */
export interface EnergyFacts {
  /** When the transaction began, in milliseconds since 1970; readings before it are not its. */
  readonly startedAtMs?: number;
  /** When it ended; readings after it are not its. */
  readonly endedAtMs?: number;
  readonly ended: boolean;
  /** meterStart of family 1, in thousandths of a watt-hour. */
  readonly meterStartMilliWh?: number;
  /** meterStop of family 1, in thousandths of a watt-hour. */
  readonly meterStopMilliWh?: number;
  /** In any order; the result is the same for each. Repeats change nothing. */
  readonly samples: readonly EnergySample[];
}

/** How far an energy total may be trusted: from two agreeing end points down to nothing known. */
export type EnergyConfidence = "high" | "medium" | "low" | "none";

/** How a total was found. */
export type EnergyMethod = "register" | "phase-registers" | "intervals" | "none";

/** Why a total is not of high confidence, or what was left out. */
export type EnergyNote =
  | RegisterNote
  | "begin-missing"
  | "end-missing"
  | "clock-disorder"
  | "readings-before-start-ignored"
  | "readings-after-end-ignored"
  | `location-${string}`;

/** A transaction's energy in one direction. */
export interface EnergyTotal {
  /** In thousandths of a watt-hour, an integer; absent when nothing is known. Divide by 1000 for Wh. */
  readonly milliWh?: number;
  readonly method: EnergyMethod;
  readonly confidence: EnergyConfidence;
  readonly notes: readonly EnergyNote[];
}

/** Where a meter may sit, the most telling first: what left the connector counts. */
const LOCATIONS = ["Outlet", "Cable", "Body", "Inlet", "EV"];

const DAY_MS = 86_400_000;

const PHASE_SETS = [
  ["L1", "L2", "L3"],
  ["L1-N", "L2-N", "L3-N"],
];

const MEASURANDS: Readonly<Record<string, readonly [EnergyFlow, EnergySample["kind"]]>> = {
  "Energy.Active.Import.Register": ["import", "register"],
  "Energy.Active.Export.Register": ["export", "register"],
  "Energy.Active.Import.Interval": ["import", "interval"],
  "Energy.Active.Export.Interval": ["export", "interval"],
};

/** No register counts further; beyond it thousandths would no longer be exact. */
const MAX_REGISTER_WH = 1e12;

/** Watt-hours as integer thousandths, finer parts rounded to the nearest; nothing when no register can show it. */
export function toMilliWh(energyWh: number): number | undefined {
  return energyWh >= 0 && energyWh <= MAX_REGISTER_WH ? Math.round(energyWh * 1000) : undefined;
}

/** The energy values among sampled values; others, unreadable, negative and impossibly large ones are left out. */
export function energySamplesOf(values: readonly MeterValue[]): EnergySample[] {
  const found: EnergySample[] = [];
  for (const { atMs, samples } of values) {
    for (const sample of samples) {
      const kind = MEASURANDS[sample.measurand];
      if (kind === undefined || sample.unit !== "Wh" || sample.value === undefined) continue;
      const milliWh = toMilliWh(sample.value);
      if (milliWh === undefined) continue;
      found.push({
        atMs,
        milliWh,
        flow: kind[0],
        kind: kind[1],
        context: sample.context,
        location: sample.location,
        ...(sample.phase === undefined ? {} : { phase: sample.phase }),
      });
    }
  }
  return found;
}

/**
 * A transaction's energy in one direction, from all that is known of it, in any order.
 *
 * Registers come before intervals, totals before the sum of phases, and the location nearest to the EV on the
 * station's side before others. Values without energy (SoC, power) change nothing. See `register-series.ts` for what
 * one register's readings are worth.
 */
export function energyOf(facts: EnergyFacts, flow: EnergyFlow): EnergyTotal {
  const notes = new Set<EnergyNote>();
  const samples = withinBounds(facts, flow, notes);
  const registers = samples.filter((sample) => sample.kind === "register");
  return (
    totalOfRegisters(facts, flow, registers, notes) ??
    totalOfPhases(facts, registers, notes) ??
    totalOfIntervals(samples, notes) ??
    nothingYet(facts, flow, registers, notes)
  );
}

/** Where a value stands in its transaction, by its context. */
export function edgeOf(context: string): Edge {
  if (context === "Transaction.Begin") return "begin";
  return context === "Transaction.End" ? "end" : "during";
}

/** Values after the end belong to nobody, those before the start to somebody else; the two edges always belong. */
function withinBounds(facts: EnergyFacts, flow: EnergyFlow, notes: Set<EnergyNote>): EnergySample[] {
  const { startedAtMs, endedAtMs } = facts;
  if (startedAtMs !== undefined && endedAtMs !== undefined && endedAtMs < startedAtMs) {
    notes.add("clock-disorder");
    return inOrderOfValue(
      facts.samples.filter((sample) => sample.flow === flow),
      endedAtMs + 1,
    );
  }
  return facts.samples.filter((sample) => {
    if (sample.flow !== flow) return false;
    if (edgeOf(sample.context) !== "during") return true;
    if (endedAtMs !== undefined && sample.atMs > endedAtMs) {
      notes.add("readings-after-end-ignored");
      return false;
    }
    if (startedAtMs !== undefined && sample.atMs < startedAtMs) {
      notes.add("readings-before-start-ignored");
      return false;
    }
    return true;
  });
}

/**
 * When the clock was set back across a whole transaction its times tell no order. A register does: it rises. A zero
 * among other values does not tell where it stood and is left out. The times that are given tell no duration either.
 */
function inOrderOfValue(samples: readonly EnergySample[], fromMs: number): EnergySample[] {
  const isMoved = ({ kind, context }: EnergySample): boolean => kind === "register" && edgeOf(context) === "during";
  // By what they are, so that a repeat stays one and the order of arrival does not matter.
  const registers = new Map<string, EnergySample>();
  for (const sample of samples) {
    const { milliWh, atMs, location, phase = "" } = sample;
    if (isMoved(sample)) registers.set(`${String(milliWh).padStart(16, "0")} ${atMs} ${location} ${phase}`, sample);
  }
  const rising = [...registers].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, sample]) => sample);
  const told = rising.filter(({ milliWh }) => milliWh > 0);
  const moved = (told.length > 0 ? told : rising).map((sample, index) => ({
    ...sample,
    atMs: fromMs + index * DAY_MS,
  }));
  return [...samples.filter((sample) => !isMoved(sample)), ...moved];
}

function readingOf(sample: EnergySample): RegisterReading {
  return { atMs: sample.atMs, milliWh: sample.milliWh, edge: edgeOf(sample.context) };
}

/** meterStart and meterStop are readings of whatever register counts the transaction's import. */
function edgesOfFamily1(facts: EnergyFacts, flow: EnergyFlow, samples: readonly EnergySample[]): RegisterReading[] {
  if (flow === "export") return [];
  const times = samples.map((sample) => sample.atMs);
  const edges: RegisterReading[] = [];
  if (facts.meterStartMilliWh !== undefined) {
    const atMs = facts.startedAtMs ?? min(times) ?? facts.endedAtMs ?? 0;
    edges.push({ atMs, milliWh: facts.meterStartMilliWh, edge: "begin" });
  }
  if (facts.meterStopMilliWh !== undefined) {
    const atMs = facts.endedAtMs ?? max(times) ?? facts.startedAtMs ?? 0;
    edges.push({ atMs, milliWh: facts.meterStopMilliWh, edge: "end" });
  }
  return edges;
}

function min(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((a, b) => Math.min(a, b));
}

function max(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((a, b) => Math.max(a, b));
}

function locationsOf(samples: readonly EnergySample[]): string[] {
  const present = new Set(samples.map((sample) => sample.location));
  // Upstream meters count other consumers as well.
  present.delete("Upstream");
  const others = [...present].filter((location) => !LOCATIONS.includes(location)).sort();
  return [...LOCATIONS.filter((location) => present.has(location)), ...others];
}

function totalOfRegisters(
  facts: EnergyFacts,
  flow: EnergyFlow,
  registers: readonly EnergySample[],
  notes: ReadonlySet<EnergyNote>,
): EnergyTotal | undefined {
  const totals = registers.filter((sample) => sample.phase === undefined);
  const edges = edgesOfFamily1(facts, flow, registers);
  for (const location of locationsOf(totals)) {
    const readings = totals.filter((sample) => sample.location === location).map(readingOf);
    const energy = energyOfRegister([...edges, ...readings]);
    if (energy === undefined) continue;
    const more: EnergyNote[] = location === "Outlet" ? [] : [`location-${location}`];
    return registerTotal(facts, energy, "register", [...notes, ...more]);
  }
  const energy = energyOfRegister(edges);
  return energy && registerTotal(facts, energy, "register", [...notes]);
}

function totalOfPhases(
  facts: EnergyFacts,
  registers: readonly EnergySample[],
  notes: ReadonlySet<EnergyNote>,
): EnergyTotal | undefined {
  const phased = registers.filter((sample) => sample.phase !== undefined);
  for (const location of locationsOf(phased)) {
    for (const phases of PHASE_SETS) {
      const energies = phases.flatMap((phase) => {
        const series = phased.filter((sample) => sample.location === location && sample.phase === phase);
        return energyOfRegister(series.map(readingOf)) ?? [];
      });
      if (energies.length === 0) continue;
      const more: EnergyNote[] = location === "Outlet" ? [] : [`location-${location}`];
      const sum = {
        milliWh: energies.reduce((total, energy) => total + energy.milliWh, 0),
        used: energies.reduce((total, energy) => total + energy.used, 0),
        beginUsed: energies.every((energy) => energy.beginUsed),
        endUsed: energies.every((energy) => energy.endUsed),
        notes: energies.flatMap((energy) => energy.notes),
      };
      return registerTotal(facts, sum, "phase-registers", [...notes, ...more]);
    }
  }
  return undefined;
}

function registerTotal(
  facts: EnergyFacts,
  energy: NonNullable<ReturnType<typeof energyOfRegister>>,
  method: EnergyMethod,
  noted: readonly EnergyNote[],
): EnergyTotal {
  const notes = new Set<EnergyNote>([...noted, ...energy.notes]);
  if (!energy.beginUsed) notes.add("begin-missing");
  if (facts.ended && !energy.endUsed) notes.add("end-missing");
  const doubtful = notes.has("begin-of-zero-refuted") || notes.has("register-reset") || notes.has("readings-discarded");
  const partial = notes.has("begin-missing") || notes.has("end-missing") || notes.has("register-rollover");
  // A pair of edges that agree outweighs what had to be discarded between them.
  const agreed = energy.beginUsed && energy.endUsed && !notes.has("register-reset");
  const confidence = doubtful && !agreed ? "low" : doubtful || partial || method !== "register" ? "medium" : "high";
  return { milliWh: energy.milliWh, method, confidence, notes: [...notes].sort() };
}

/**
 * Intervals add up. Clock-aligned and sampled intervals measure the same energy twice, so the larger sum of the two
 * counts; the smaller has gaps.
 */
function totalOfIntervals(samples: readonly EnergySample[], notes: ReadonlySet<EnergyNote>): EnergyTotal | undefined {
  const intervals = samples.filter((sample) => sample.kind === "interval" && sample.context !== "Transaction.Begin");
  for (const location of locationsOf(intervals)) {
    const here = intervals.filter((sample) => sample.location === location);
    const whole = here.filter((sample) => sample.phase === undefined);
    for (const phases of whole.length > 0 ? [undefined] : PHASE_SETS) {
      const chosen = phases === undefined ? whole : here.filter((sample) => phases.includes(sample.phase ?? ""));
      if (chosen.length === 0) continue;
      const isClock = (sample: EnergySample): boolean => sample.context === "Sample.Clock";
      const clocked = sumOfIntervals(chosen.filter(isClock));
      const sampled = sumOfIntervals(chosen.filter((sample) => !isClock(sample)));
      const more: EnergyNote[] = location === "Outlet" ? [] : [`location-${location}`];
      return {
        milliWh: Math.max(clocked, sampled),
        method: "intervals",
        confidence: "medium",
        notes: [...notes, ...more].sort(),
      };
    }
  }
  return undefined;
}

/** One value per moment and phase: of several that disagree the larger, so that the order of arrival does not matter. */
function sumOfIntervals(intervals: readonly EnergySample[]): number {
  const byMoment = new Map<string, number>();
  for (const { atMs, phase, milliWh } of intervals) {
    const key = `${atMs} ${phase ?? ""}`;
    byMoment.set(key, Math.max(byMoment.get(key) ?? 0, milliWh));
  }
  let sum = 0;
  for (const milliWh of byMoment.values()) sum += milliWh;
  return sum;
}

/** One reading tells no energy; while the transaction runs it means that none is known to have flowed yet. */
function nothingYet(
  facts: EnergyFacts,
  flow: EnergyFlow,
  registers: readonly EnergySample[],
  notes: ReadonlySet<EnergyNote>,
): EnergyTotal {
  const read = registers.length > 0 || (flow === "import" && facts.meterStartMilliWh !== undefined);
  if (!facts.ended && read) return { milliWh: 0, method: "register", confidence: "low", notes: [...notes].sort() };
  return { method: "none", confidence: "none", notes: [...notes].sort() };
}
