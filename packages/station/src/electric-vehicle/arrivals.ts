import type { Random } from "../random.ts";

/** What kind of place a station stands at; it decides when drivers come and how long they stay. */
export type SiteKind = "workplace" | "street" | "roadside";

interface SiteProfile {
  /** Arrivals per EVSE and hour for each hour of a weekday. */
  readonly weekday: readonly number[];
  /** The same on Saturday and Sunday. */
  readonly weekend: readonly number[];
  readonly stayMeanS: number;
  readonly stayDeviationS: number;
  readonly socMeanPercent: number;
}

const HOUR_MS = 3_600_000;

function hours(...values: readonly number[]): readonly number[] {
  return values;
}

/** Own estimates: what operators of such sites would call a normal week. */
const profiles: Readonly<Record<SiteKind, SiteProfile>> = {
  workplace: {
    weekday: hours(
      0.01,
      0.01,
      0.01,
      0.01,
      0.02,
      0.06,
      0.22,
      0.46,
      0.42,
      0.22,
      0.12,
      0.1,
      0.16,
      0.2,
      0.1,
      0.06,
      0.04,
      0.03,
      0.02,
      0.02,
      0.01,
      0.01,
      0.01,
      0.01,
    ),
    weekend: hours(
      0.01,
      0.01,
      0.01,
      0.01,
      0.01,
      0.01,
      0.02,
      0.03,
      0.05,
      0.06,
      0.06,
      0.06,
      0.05,
      0.05,
      0.04,
      0.03,
      0.03,
      0.02,
      0.02,
      0.01,
      0.01,
      0.01,
      0.01,
      0.01,
    ),
    stayMeanS: 6.5 * 3600,
    stayDeviationS: 2.2 * 3600,
    socMeanPercent: 48,
  },
  street: {
    weekday: hours(
      0.02,
      0.01,
      0.01,
      0.01,
      0.01,
      0.02,
      0.04,
      0.08,
      0.09,
      0.09,
      0.09,
      0.1,
      0.11,
      0.1,
      0.1,
      0.13,
      0.2,
      0.3,
      0.34,
      0.28,
      0.2,
      0.13,
      0.08,
      0.04,
    ),
    weekend: hours(
      0.03,
      0.02,
      0.01,
      0.01,
      0.01,
      0.01,
      0.02,
      0.04,
      0.08,
      0.12,
      0.15,
      0.16,
      0.16,
      0.16,
      0.15,
      0.15,
      0.17,
      0.2,
      0.2,
      0.18,
      0.14,
      0.1,
      0.07,
      0.05,
    ),
    stayMeanS: 7 * 3600,
    stayDeviationS: 4 * 3600,
    socMeanPercent: 42,
  },
  roadside: {
    weekday: hours(
      0.06,
      0.04,
      0.04,
      0.04,
      0.08,
      0.2,
      0.4,
      0.55,
      0.6,
      0.65,
      0.7,
      0.75,
      0.8,
      0.75,
      0.75,
      0.8,
      0.95,
      1,
      0.9,
      0.65,
      0.45,
      0.3,
      0.2,
      0.1,
    ),
    weekend: hours(
      0.08,
      0.06,
      0.04,
      0.04,
      0.05,
      0.08,
      0.15,
      0.3,
      0.5,
      0.75,
      0.95,
      1,
      1,
      0.95,
      0.95,
      1,
      1,
      0.95,
      0.8,
      0.6,
      0.45,
      0.3,
      0.2,
      0.12,
    ),
    stayMeanS: 28 * 60,
    stayDeviationS: 11 * 60,
    socMeanPercent: 26,
  },
};

/** A coming visit of a driver. */
export interface Arrival {
  /** When, in milliseconds since 1970. */
  readonly at: number;
  /** How long the driver stays. */
  readonly stayS: number;
  /** State of charge on arrival, 3 to 92. */
  readonly socPercent: number;
}

/** Arrivals per EVSE and hour at a moment; hours and weekdays are those of UTC plus the offset. */
export function arrivalRatePerHour(kind: SiteKind, at: number, utcOffsetMinutes = 0): number {
  const local = new Date(at + utcOffsetMinutes * 60_000);
  const day = local.getUTCDay();
  const rates = day === 0 || day === 6 ? profiles[kind].weekend : profiles[kind].weekday;
  return rates[local.getUTCHours()] ?? 0;
}

/**
 * The next driver who comes to a free EVSE: an inhomogeneous Poisson process, drawn by thinning.
 *
 * @param busyness multiplies all rates; 1 is a normal site, must be above 0
 */
export function nextArrival(
  random: Random,
  kind: SiteKind,
  after: number,
  options: { readonly busyness?: number; readonly utcOffsetMinutes?: number } = {},
): Arrival {
  const busyness = options.busyness ?? 1;
  if (!(busyness > 0)) throw new RangeError(`busyness must be above 0, not ${busyness}`);
  const profile = profiles[kind];
  const highest = Math.max(...profile.weekday, ...profile.weekend) * busyness;
  let at = after;
  do {
    at += (-Math.log(1 - random.next()) / highest) * HOUR_MS;
  } while (random.next() * highest > arrivalRatePerHour(kind, at, options.utcOffsetMinutes) * busyness);
  const stayS = Math.max(profile.stayMeanS / 6, random.normal(profile.stayMeanS, profile.stayDeviationS));
  const socPercent = Math.min(92, Math.max(3, random.normal(profile.socMeanPercent, 17)));
  return { at, stayS, socPercent };
}
