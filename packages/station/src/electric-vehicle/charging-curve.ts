/** A point of a charging curve: at this state of charge the battery takes this share of its full power. */
export interface CurvePoint {
  readonly socPercent: number;
  /** From 0 to 1. */
  readonly share: number;
}

/** Share of full power at each state of charge, with straight lines between the points. */
export type ChargingCurve = readonly CurvePoint[];

/** How fast charging tapers: full power in the lower half, a long tail above 80 %. */
export const dcCurve: ChargingCurve = [
  { socPercent: 0, share: 0.7 },
  { socPercent: 8, share: 1 },
  { socPercent: 46, share: 1 },
  { socPercent: 62, share: 0.72 },
  { socPercent: 80, share: 0.42 },
  { socPercent: 90, share: 0.2 },
  { socPercent: 97, share: 0.08 },
  { socPercent: 100, share: 0.03 },
];

/** On-board chargers are the bottleneck: constant power until the cells are balanced at the very end. */
export const acCurve: ChargingCurve = [
  { socPercent: 0, share: 1 },
  { socPercent: 96, share: 1 },
  { socPercent: 99, share: 0.45 },
  { socPercent: 100, share: 0.2 },
];

/** The share of full power that a battery takes at a state of charge, from 0 to 1. */
export function shareAt(curve: ChargingCurve, socPercent: number): number {
  let before: CurvePoint | undefined;
  for (const point of curve) {
    if (socPercent <= point.socPercent) {
      if (before === undefined) return point.share;
      const part = (socPercent - before.socPercent) / (point.socPercent - before.socPercent);
      return before.share + part * (point.share - before.share);
    }
    before = point;
  }
  return before?.share ?? 0;
}
