/** A number with its unit, as it is printed. */
export interface Quantity {
  readonly value: number;
  /** "" for a plain count. */
  readonly unit: string;
}

/** What a figure is to reach: at least or at most a value, measured itself or as the ratio to its floor. */
export interface Goal {
  readonly bound: "at least" | "at most";
  readonly of: "measured" | "ratio";
  readonly value: number;
}

/** One row of a case's table. */
export interface Figure {
  /** What was measured, and with how much of what. */
  readonly what: string;
  readonly measured: Quantity;
  /** What the machine gives without the CSMS, measured in the same run. */
  readonly floor?: { readonly what: string; readonly value: number };
  readonly goal?: Goal;
}

/** One benchmark of the CSMS. */
export interface BenchCase {
  /** How it is asked for on the command line. */
  readonly name: string;
  /** One sentence that says what is done and measured. */
  readonly title: string;
  /** Measures. `note` prints what the reader of the table should know. */
  run(note: (text: string) => void): Promise<readonly Figure[]>;
}

/** A goal that is reached from below. */
export function atLeast(value: number, of: Goal["of"] = "measured"): Goal {
  return { bound: "at least", of, value };
}

/** A goal that is kept from above. */
export function atMost(value: number, of: Goal["of"] = "measured"): Goal {
  return { bound: "at most", of, value };
}

/** Measured by floor; undefined without a floor. */
export function ratioOf({ measured, floor }: Figure): number | undefined {
  return floor === undefined ? undefined : measured.value / floor.value;
}

/** Whether the goal is met; undefined without a goal. A figure that could not be measured meets none. */
export function meetsGoal(figure: Figure): boolean | undefined {
  const { goal, measured } = figure;
  if (goal === undefined) return undefined;
  const value = goal.of === "measured" ? measured.value : (ratioOf(figure) ?? Number.NaN);
  return goal.bound === "at least" ? value >= goal.value : value <= goal.value;
}

/** Seconds that each measurement of a rate takes; `BENCH_SECONDS`. */
export const secondsEach = Number(process.env.BENCH_SECONDS ?? 10);

/** Numbers of stations of a fleet; `BENCH_STATIONS`. */
export function fleetSizes(preset: string): readonly number[] {
  return (process.env.BENCH_STATIONS ?? preset).split(",").map(Number);
}

/** The middle one, NaN of none. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** The value below which a share of the sorted values lies, NaN of none. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
