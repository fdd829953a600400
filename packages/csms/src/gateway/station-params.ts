import { Type } from "typebox";
import { notFound } from "../api/problem.ts";
import type { KnownStations } from "./known-stations.ts";

/** Parameters of a path that names a station. */
export const StationParams = Type.Object({
  stationId: Type.String({ minLength: 1, description: "Identity of the station" }),
});

/** @throws ProblemError 404 when there is no such station */
export function requireStation(stations: KnownStations, stationId: string): void {
  if (stations.find(stationId) === undefined) throw notFound("station", stationId);
}
