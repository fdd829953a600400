import { type Static, Type } from "typebox";
import type { StationCalls } from "../../gateway/station-messages.ts";
import type { Station } from "./station.ts";
import { RegistrationStatusSchema, VersionSchema } from "./station-json.ts";

/** Query that chooses stations of a list. */
export const stationFilter = Type.Object({
  connected: Type.Optional(Type.Boolean()),
  registrationStatus: Type.Optional(RegistrationStatusSchema),
  version: Type.Optional(VersionSchema),
  site: Type.Optional(Type.String()),
  tag: Type.Optional(Type.String()),
  search: Type.Optional(
    Type.String({ maxLength: 200, description: "Part of id, vendor, model, serial number, site or a tag" }),
  ),
});

type StationFilter = Static<typeof stationFilter>;

/** Whether a list shows a station. Version and connection are those of its session, where it has one. */
export function matches(station: Station, query: StationFilter, calls: StationCalls | undefined): boolean {
  const session = calls?.session(station.stationId);
  if (query.connected !== undefined && query.connected !== (session !== undefined)) return false;
  if (query.registrationStatus !== undefined && query.registrationStatus !== station.registrationStatus) return false;
  if (query.version !== undefined && query.version !== (session?.version ?? station.version)) return false;
  if (query.site !== undefined && query.site !== station.site) return false;
  if (query.tag !== undefined && !station.tags.includes(query.tag)) return false;
  return query.search === undefined || contains(station, query.search.toLowerCase());
}

function contains(station: Station, part: string): boolean {
  const { stationId, vendorName, model, serialNumber, site, tags } = station;
  return [stationId, vendorName, model, serialNumber, site, ...tags].some((value) =>
    value?.toLowerCase().includes(part),
  );
}
