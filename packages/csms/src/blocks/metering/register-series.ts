/** Where a reading stands in its transaction, whatever its clock says. */
export type Edge = "begin" | "during" | "end";

/** One reading of a counting register. */
export interface RegisterReading {
  /** By the station's clock, in milliseconds since 1970. */
  readonly atMs: number;
  /** In thousandths of a watt-hour, an integer: sums and differences are exact. */
  readonly milliWh: number;
  readonly edge: Edge;
}

/** What a register tells about the energy that flowed. */
export interface RegisterEnergy {
  /** In thousandths of a watt-hour, never negative. */
  readonly milliWh: number;
  /** Readings that the result rests on. */
  readonly used: number;
  readonly beginUsed: boolean;
  readonly endUsed: boolean;
  readonly notes: readonly RegisterNote[];
}

/** Why a register's energy is not simply its last reading less its first. */
export type RegisterNote = "begin-of-zero-refuted" | "readings-discarded" | "register-reset" | "register-rollover";

const WH = 1000;
/** No charging standard delivers more (MCS: 3.75 MW). A register that rises faster does not tell energy. */
const MAX_POWER_W = 4_000_000;
/** A rise that is believed however short the time: coarse registers step, and timestamps have whole seconds. */
const SLACK = 2_000 * WH;
/** A fall that is rounding: samples in kWh with one decimal beside a meterStop in Wh. */
const ROUNDING = 1_000 * WH;
/** A begin of exactly 0 followed by a step larger than this is a missing reading, not a meter that starts at 0. */
const LARGEST_FIRST_STEP = 300_000 * WH;
/** Where registers overflow: five, six and seven digits of kWh, and 32-bit counters of Wh. */
const OVERFLOWS = [1e8, 1e9, 2 ** 31, 2 ** 32, 1e10].map((wh) => wh * WH);
/** A rollover is believed only this near to the overflow. */
const LARGEST_ROLLOVER = 150_000 * WH;
/** A register's first value after a reset counts as energy up to this. */
const LARGEST_AFTER_RESET = 100_000 * WH;
/** Stretches of plausible readings that are told apart; further ones are discarded. */
const MAX_PIECES = 16;
const DAY_MS = 86_400_000;
/** Before the first stations with OCPP: a clock that shows it was not set. */
const CLOCKS_ARE_SET_AFTER_MS = Date.UTC(2010, 0, 1);

const EDGE_RANK: Readonly<Record<Edge, number>> = { begin: 0, during: 1, end: 2 };

/**
 * The energy that a register counted, or undefined when fewer than two readings agree. The result depends on the set
 * of readings only, not on their order.
 *
 * Rules, in this order: the begin and the end stand first and last whatever their clocks say; an overflow is
 * continued; a begin of 0 before an absolute register is dropped; when all readings rise plausibly the result is last
 * less first; else a plausible pair of begin and end decides, unless readings between them rose above the end; else
 * the longest plausible rise counts, with further rises before and after it as resets of the register.
 */
export function energyOfRegister(readings: readonly RegisterReading[]): RegisterEnergy | undefined {
  const notes = new Set<RegisterNote>();
  const sorted = dropRefutedZero(continueOverflow(inOrder(readings), notes), notes);
  const first = sorted[0];
  const last = sorted.at(-1);
  if (first === undefined || last === undefined || sorted.length < 2) return undefined;
  if (risesPlausibly(sorted)) {
    return result(last.milliWh - first.milliWh, sorted, notes);
  }
  notes.add("readings-discarded");
  const pair = agreeingPair(sorted);
  if (pair !== undefined) return result(pair[1].milliWh - pair[0].milliWh, pair, notes);
  return energyOfPieces(sorted, notes);
}

/** Whether the register can have risen from one reading to the next; the step of a fast path's clean series. */
export function isPlausibleStep(from: RegisterReading, to: RegisterReading, slackMilliWh = SLACK): boolean {
  const rise = to.milliWh - from.milliWh;
  if (rise < 0) return false;
  let elapsedMs = to.atMs - from.atMs;
  // A clock that was set in between tells no duration; neither does one time for begin and end, nor a clock that was
  // never set and stands still.
  const isStill =
    elapsedMs === 0 && ((from.edge === "begin" && to.edge === "end") || to.atMs < CLOCKS_ARE_SET_AFTER_MS);
  if (elapsedMs < 0 || isStill) elapsedMs = DAY_MS;
  return rise <= slackMilliWh + (MAX_POWER_W * elapsedMs * WH) / 3_600_000;
}

function result(milliWh: number, used: readonly RegisterReading[], notes: ReadonlySet<RegisterNote>): RegisterEnergy {
  return {
    milliWh: Math.max(0, milliWh),
    used: used.length,
    beginUsed: used.some((reading) => reading.edge === "begin"),
    endUsed: used.some((reading) => reading.edge === "end"),
    notes: [...notes].sort(),
  };
}

function inOrder(readings: readonly RegisterReading[]): RegisterReading[] {
  const sorted = [...readings].sort(
    (a, b) => EDGE_RANK[a.edge] - EDGE_RANK[b.edge] || a.atMs - b.atMs || a.milliWh - b.milliWh,
  );
  const distinct: RegisterReading[] = [];
  for (const reading of sorted) {
    const before = distinct.at(-1);
    const isRepeat = before?.atMs === reading.atMs && before.milliWh === reading.milliWh;
    // A begin and an end that are alike tell that nothing flowed.
    if (!isRepeat || (before.edge === "begin" && reading.edge === "end")) distinct.push(reading);
  }
  return distinct;
}

function continueOverflow(sorted: RegisterReading[], notes: Set<RegisterNote>): RegisterReading[] {
  let offset = 0;
  return sorted.map((reading, index) => {
    const before = sorted[index - 1];
    if (before !== undefined && reading.milliWh > 0 && reading.milliWh < before.milliWh) {
      const overflow = OVERFLOWS.find((limit) => limit > before.milliWh);
      if (overflow !== undefined && overflow - before.milliWh + reading.milliWh <= LARGEST_ROLLOVER) {
        offset += overflow;
        notes.add("register-rollover");
      }
    }
    return offset === 0 ? reading : { ...reading, milliWh: reading.milliWh + offset };
  });
}

/**
 * Stations that start a transaction offline without asking the meter report 0 and absolute values later. A meter that
 * really starts at 0 goes on in small steps.
 */
function dropRefutedZero(sorted: RegisterReading[], notes: Set<RegisterNote>): RegisterReading[] {
  const next = sorted.findIndex((reading) => reading.milliWh > 0);
  const zero = sorted[next - 1];
  const after = sorted[next];
  if (zero === undefined || after === undefined) return sorted;
  if (after.milliWh <= LARGEST_FIRST_STEP && isPlausibleStep(zero, after)) return sorted;
  notes.add("begin-of-zero-refuted");
  return sorted.slice(next);
}

function risesPlausibly(sorted: readonly RegisterReading[]): boolean {
  const first = sorted[0];
  const last = sorted.at(-1);
  if (first === undefined || last === undefined || last.milliWh < first.milliWh) return false;
  return sorted.every((reading, index) => {
    const before = sorted[index - 1];
    if (before === undefined || isPlausibleStep(before, reading)) return true;
    // Rounding may fall a little; a fall to 0 is never rounding.
    return reading.milliWh > 0 && reading.milliWh < before.milliWh && before.milliWh - reading.milliWh <= ROUNDING;
  });
}

/** A begin and an end that agree with each other and are not contradicted by what was read between them. */
function agreeingPair(sorted: readonly RegisterReading[]): readonly [RegisterReading, RegisterReading] | undefined {
  const begins = sorted.filter((reading) => reading.edge === "begin").reverse();
  const ends = sorted.filter((reading) => reading.edge === "end").reverse();
  const during = sorted.filter((reading) => reading.edge === "during");
  for (const begin of begins) {
    for (const end of ends) {
      if (!isPlausibleStep(begin, end)) continue;
      const above = during.filter(
        (reading) => reading.milliWh > end.milliWh + ROUNDING && isPlausibleStep(begin, reading),
      );
      // One reading above is a spike; several are a register that was reset. An end that equals the begin is stale.
      if (above.length < 2 && !(above.length === 1 && end.milliWh === begin.milliWh)) return [begin, end];
    }
  }
  return undefined;
}

function energyOfPieces(sorted: readonly RegisterReading[], notes: Set<RegisterNote>): RegisterEnergy | undefined {
  const pieces: RegisterReading[][] = [];
  collectPieces(sorted, pieces);
  const used = pieces.flat();
  if (used.length < 2) return undefined;
  let milliWh = 0;
  let before: RegisterReading | undefined;
  for (const piece of pieces) {
    const first = piece[0];
    if (first === undefined) continue;
    if (before !== undefined && first.milliWh < before.milliWh) {
      notes.add("register-reset");
      if (first.milliWh <= LARGEST_AFTER_RESET && isPlausibleStep({ ...before, milliWh: 0 }, first)) {
        milliWh += first.milliWh;
      }
    }
    milliWh += energyOfRise(piece);
    before = piece.at(-1);
  }
  return result(milliWh, used, notes);
}

/** Sum of the plausible steps of a rise; a step that no charger can deliver counts nothing. */
function energyOfRise(piece: readonly RegisterReading[]): number {
  let milliWh = 0;
  for (let index = 1; index < piece.length; index++) {
    const from = piece[index - 1];
    const to = piece[index];
    if (from !== undefined && to !== undefined && isPlausibleStep(from, to)) milliWh += to.milliWh - from.milliWh;
  }
  return milliWh;
}

/** Adds the longest rise, and those before and after it, in order of time. Single readings are no rise. */
function collectPieces(sorted: readonly RegisterReading[], pieces: RegisterReading[][]): void {
  if (sorted.length < 2 || pieces.length >= MAX_PIECES) return;
  const rise = longestRise(sorted);
  const firstIndex = rise[0];
  const lastIndex = rise.at(-1);
  if (rise.length < 2 || firstIndex === undefined || lastIndex === undefined) return;
  collectPieces(sorted.slice(0, firstIndex), pieces);
  pieces.push(rise.flatMap((index) => sorted[index] ?? []));
  collectPieces(sorted.slice(lastIndex + 1), pieces);
}

/**
 * Indices of the longest non-falling subsequence; of equally long ones, the one with the highest first reading,
 * because it claims the least energy. Values that stay the same count once. O(n log n).
 */
function longestRise(sorted: readonly RegisterReading[]): number[] {
  // heads[k]: the highest first value of a rise of k + 1 readings; built from the end, so values fall with k.
  const heads: { value: number; index: number }[] = [];
  const following = new Map<number, number>();
  for (let index = sorted.length - 1; index >= 0; index--) {
    const value = sorted[index]?.milliWh ?? 0;
    if (sorted[index - 1]?.milliWh === value) continue;
    let low = 0;
    let high = heads.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((heads[middle]?.value ?? 0) >= value) low = middle + 1;
      else high = middle;
    }
    const next = heads[low - 1];
    if (next !== undefined) following.set(index, next.index);
    heads[low] = { value, index };
  }
  const rise: number[] = [];
  for (let index = heads.at(-1)?.index; index !== undefined; index = following.get(index)) rise.push(index);
  return rise;
}
