import type { Random } from "../random.ts";
import { type SiteKind, siteProfiles } from "./site-profiles.ts";

const HOUR_MS = 3_600_000;

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
  const rates = day === 0 || day === 6 ? siteProfiles[kind].weekend : siteProfiles[kind].weekday;
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
  const profile = siteProfiles[kind];
  const highest = Math.max(...profile.weekday, ...profile.weekend) * busyness;
  let at = after;
  do {
    at += (-Math.log(1 - random.next()) / highest) * HOUR_MS;
  } while (random.next() * highest > arrivalRatePerHour(kind, at, options.utcOffsetMinutes) * busyness);
  const stayS = Math.max(profile.stayMeanS / 6, random.normal(profile.stayMeanS, profile.stayDeviationS));
  const socPercent = Math.min(92, Math.max(3, random.normal(profile.socMeanPercent, 17)));
  return { at, stayS, socPercent };
}
