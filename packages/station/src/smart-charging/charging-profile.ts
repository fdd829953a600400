import type { PowerLimit } from "../evse/electrical.ts";

/** What a profile is for; ExternalConstraints and the further purposes of 2.1 are not offered. */
export type ProfilePurpose = "ChargingStationMaxProfile" | "TxDefaultProfile" | "TxProfile";

/** One period of a schedule. */
export interface SchedulePeriod {
  readonly startPeriodS: number;
  readonly limit: number;
  readonly numberPhases?: number;
}

/** A charging profile in the words of 2.x, with its one schedule. */
export interface ChargingProfile {
  readonly id: number;
  readonly stackLevel: number;
  readonly purpose: ProfilePurpose;
  readonly kind: "Absolute" | "Recurring" | "Relative";
  readonly recurrency?: "Daily" | "Weekly";
  /** Milliseconds since 1970. */
  readonly validFrom?: number;
  readonly validTo?: number;
  readonly transactionId?: string;
  readonly schedule: {
    /** Number of the schedule (2.x). */
    readonly id?: number;
    readonly unit: "W" | "A";
    readonly startAt?: number;
    readonly durationS?: number;
    readonly periods: readonly SchedulePeriod[];
  };
}

/** A limit in the unit of its schedule. */
export interface ScheduleLimit {
  readonly limit: number;
  readonly unit: "W" | "A";
  readonly numberPhases?: number;
}

const PERIOD_MS = { Daily: 86_400_000, Weekly: 7 * 86_400_000 } as const;

/** When the schedule that rules at `at` began; undefined when it has no beginning that is known. */
function startOf(profile: ChargingProfile, at: number, transactionStartedAt: number | undefined): number | undefined {
  const { schedule } = profile;
  switch (profile.kind) {
    case "Absolute":
      // Without a start it begins with the transaction, or has always begun.
      return schedule.startAt ?? transactionStartedAt ?? profile.validFrom ?? 0;
    case "Relative":
      return transactionStartedAt;
    case "Recurring": {
      const periodMs = PERIOD_MS[profile.recurrency ?? "Daily"];
      const first = schedule.startAt ?? 0;
      if (at < first) return undefined;
      return at - ((at - first) % periodMs);
    }
  }
}

/** The limit that one profile sets at a moment, or undefined when it says nothing then. */
export function limitAt(
  profile: ChargingProfile,
  at: number,
  transactionStartedAt: number | undefined,
): ScheduleLimit | undefined {
  if (profile.validFrom !== undefined && at < profile.validFrom) return undefined;
  if (profile.validTo !== undefined && at >= profile.validTo) return undefined;
  const start = startOf(profile, at, transactionStartedAt);
  if (start === undefined || at < start) return undefined;
  const elapsedS = (at - start) / 1000;
  const { schedule } = profile;
  if (schedule.durationS !== undefined && elapsedS >= schedule.durationS) return undefined;
  const period = schedule.periods.findLast((candidate) => candidate.startPeriodS <= elapsedS);
  if (period === undefined) return undefined;
  return {
    limit: period.limit,
    unit: schedule.unit,
    ...(period.numberPhases === undefined ? {} : { numberPhases: period.numberPhases }),
  };
}

/** The next moment after `at` at which the profile's limit may change. */
export function nextChange(profile: ChargingProfile, at: number, transactionStartedAt: number | undefined): number {
  const moments: number[] = [];
  if (profile.validFrom !== undefined) moments.push(profile.validFrom);
  if (profile.validTo !== undefined) moments.push(profile.validTo);
  const { schedule } = profile;
  if (schedule.startAt !== undefined) moments.push(schedule.startAt);
  const start = startOf(profile, at, transactionStartedAt);
  if (start !== undefined) {
    for (const period of schedule.periods) moments.push(start + period.startPeriodS * 1000);
    if (schedule.durationS !== undefined) moments.push(start + schedule.durationS * 1000);
    if (profile.kind === "Recurring") moments.push(start + PERIOD_MS[profile.recurrency ?? "Daily"]);
  }
  return Math.min(...moments.filter((moment) => moment > at), Number.POSITIVE_INFINITY);
}

/** A limit of a schedule as hardware understands it. */
export function asPowerLimit(limit: ScheduleLimit | undefined): PowerLimit {
  if (limit === undefined) return {};
  const phases = limit.numberPhases === undefined ? {} : { phases: limit.numberPhases };
  return limit.unit === "W" ? { powerW: limit.limit, ...phases } : { currentA: limit.limit, ...phases };
}

/** The stricter of two limits in every respect. */
export function stricter(left: PowerLimit, right: PowerLimit): PowerLimit {
  const least = (a: number | undefined, b: number | undefined) =>
    a === undefined ? b : b === undefined ? a : Math.min(a, b);
  const powerW = least(left.powerW, right.powerW);
  const currentA = least(left.currentA, right.currentA);
  const phases = least(left.phases, right.phases);
  return {
    ...(powerW === undefined ? {} : { powerW }),
    ...(currentA === undefined ? {} : { currentA }),
    ...(phases === undefined ? {} : { phases }),
  };
}
