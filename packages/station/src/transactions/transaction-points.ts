import type { TxPoint } from "../configuration/settings.ts";

/** What start and stop points look at, except for the energy itself. */
export interface ConnectionFacts {
  readonly parked: boolean;
  readonly plugged: boolean;
  readonly authorized: boolean;
}

function holds(point: TxPoint, facts: ConnectionFacts): boolean {
  switch (point) {
    case "ParkingBayOccupancy":
      return facts.parked;
    case "EVConnected":
      return facts.plugged;
    case "Authorized":
      return facts.authorized;
    case "PowerPathClosed":
      return facts.plugged && facts.authorized;
    case "EnergyTransfer":
      // Known only from the meter; the session watches it.
      return false;
  }
}

/** Whether a change makes one of the start points true that was not before (E01). */
export function isStartReached(points: readonly TxPoint[], before: ConnectionFacts, after: ConnectionFacts): boolean {
  return points.some((point) => holds(point, after) && !holds(point, before));
}

/** Whether a change ends what one of the stop points needs (E06). */
export function isStopReached(points: readonly TxPoint[], before: ConnectionFacts, after: ConnectionFacts): boolean {
  return points.some((point) => holds(point, before) && !holds(point, after));
}
