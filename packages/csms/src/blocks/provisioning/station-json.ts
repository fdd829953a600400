import { ocppVersions } from "@polyphase/ocpp";
import { type Static, Type } from "typebox";
import { notFound } from "../../api/problem.ts";
import type { StationCalls } from "../../gateway/station-messages.ts";
import type { Station } from "./station.ts";

/** Schema of whether a station may do business. */
export const RegistrationStatusSchema = Type.Enum(["Accepted", "Pending", "Rejected"]);
/** Schema of a security profile. */
export const SecurityProfileSchema = Type.Enum([0, 1, 2, 3], {
  description: "How the station proves who it is: 0 not, 1 Basic, 2 Basic over TLS, 3 client certificate",
});
/** Schema of a version of OCPP. */
export const VersionSchema = Type.Enum([...ocppVersions]);

const time = (description?: string) =>
  Type.Optional(Type.String({ format: "date-time", ...(description === undefined ? {} : { description }) }));
const text = () => Type.Optional(Type.String());

/** Schema of a station. */
export const StationSchema = Type.Object(
  {
    stationId: Type.String(),
    registrationStatus: RegistrationStatusSchema,
    securityProfile: SecurityProfileSchema,
    connected: Type.Boolean(),
    version: Type.Optional(VersionSchema),
    transport: Type.Optional(Type.Enum(["OCPP-J", "OCPP-S"])),
    remoteAddress: text(),
    connectedAt: time(),
    lastSeenAt: time("Last message or pong"),
    clockOffsetS: Type.Optional(
      Type.Number({ description: "How far the station's clock is ahead of ours, where it shows" }),
    ),
    configuredVersion: Type.Optional(VersionSchema),
    site: text(),
    tags: Type.Array(Type.String()),
    notes: text(),
    vendorName: text(),
    model: text(),
    serialNumber: text(),
    firmwareVersion: text(),
    iccid: text(),
    imsi: text(),
    meterType: text(),
    meterSerialNumber: text(),
    lastBootAt: time(),
    lastBootReason: text(),
    inventory: Type.Object({
      status: Type.Enum(["None", "Requested", "Complete", "Incomplete", "Failed", "NotSupported"]),
      at: time(),
    }),
    createdAt: Type.String({ format: "date-time" }),
  },
  { description: "A charging station: what it tells, what an operator decided, and whether it is connected" },
);

/** A station by {@link StationSchema}. */
export type StationJson = Static<typeof StationSchema>;

/** When stations that are not connected were last heard of. */
export interface LastSeen {
  lastSeen(stationIds: readonly string[]): Promise<ReadonlyMap<string, Date>>;
  /** The addresses from which stations came last. */
  addresses(): Promise<ReadonlyMap<string, string>>;
}

/** Where that is known which the directory does not hold of a station. */
export interface StationSources {
  readonly calls: () => StationCalls | undefined;
  readonly lastSeen: LastSeen | undefined;
  /** Seconds by which the station's clock is ahead, or undefined when nothing showed it. */
  readonly clockOffsetS: (stationId: string) => number | undefined;
}

/** Shows stations with their connections, in the order in which they are given. */
export async function showStations(stations: readonly Station[], sources: StationSources): Promise<StationJson[]> {
  const offline = stations.filter(({ stationId }) => sources.calls()?.session(stationId) === undefined);
  const seen = await sources.lastSeen?.lastSeen(offline.map(({ stationId }) => stationId));
  return stations.map((station) => stationJson(station, sources, seen?.get(station.stationId)));
}

/** Shows one station with its connection. @throws ProblemError 404 when there is none */
export async function showStation(
  station: Station | undefined,
  stationId: string,
  sources: StationSources,
): Promise<StationJson> {
  const [shown] = station === undefined ? [] : await showStations([station], sources);
  if (shown === undefined) throw notFound("station", stationId);
  return shown;
}

function stationJson(station: Station, sources: StationSources, lastSeenAt: Date | undefined): StationJson {
  const session = sources.calls()?.session(station.stationId);
  const { inventoryStatus, inventoryAt, createdAt, lastBootAt, tags, ...rest } = station;
  const seenAt = session?.lastSeenAt ?? lastSeenAt;
  const offsetS = sources.clockOffsetS(station.stationId);
  return {
    ...rest,
    tags: [...tags],
    connected: session !== undefined,
    ...(session === undefined
      ? {}
      : {
          version: session.version,
          transport: session.transport,
          remoteAddress: session.remoteAddress,
          connectedAt: session.connectedAt.toISOString(),
        }),
    ...(seenAt === undefined ? {} : { lastSeenAt: seenAt.toISOString() }),
    ...(offsetS === undefined ? {} : { clockOffsetS: offsetS }),
    ...(lastBootAt === undefined ? {} : { lastBootAt: lastBootAt.toISOString() }),
    inventory: {
      status: inventoryStatus,
      ...(inventoryAt === undefined ? {} : { at: inventoryAt.toISOString() }),
    },
    createdAt: createdAt.toISOString(),
  } as StationJson;
}
