import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { ocppVersions } from "@polyphase/ocpp";
import { type Static, Type } from "typebox";
import { known } from "../../api/error-mapping.ts";
import { decodeCursor, encodeCursor, type Page, PageOf, PageQuery } from "../../api/paging.ts";
import { invalid, notFound } from "../../api/problem.ts";
import { type Caller, callerOf } from "../../api/roles.ts";
import type { RegistrationStatus, SecurityProfile } from "../../gateway/known-stations.ts";
import { identityDefect } from "../../gateway/station-identity.ts";
import type { StationCalls } from "../../gateway/station-messages.ts";
import type { RegistrationFollowUp } from "./registration-follow-up.ts";
import type { ProvisioningService } from "./service.ts";
import type { Station, StationSettings } from "./station.ts";
import type { StationDirectory } from "./station-directory.ts";

const RegistrationStatusSchema = Type.Enum(["Accepted", "Pending", "Rejected"]);
const SecurityProfileSchema = Type.Enum([0, 1, 2, 3], {
  description: "How the station proves who it is: 0 not, 1 Basic, 2 Basic over TLS, 3 client certificate",
});
const VersionSchema = Type.Enum([...ocppVersions]);
const Tag = Type.String({ minLength: 1, maxLength: 100 });

const Settings = {
  registrationStatus: Type.Optional(RegistrationStatusSchema),
  securityProfile: Type.Optional(SecurityProfileSchema),
  configuredVersion: Type.Optional(VersionSchema),
  site: Type.Optional(Type.String({ maxLength: 200 })),
  tags: Type.Optional(Type.Array(Tag, { maxItems: 100, uniqueItems: true })),
  notes: Type.Optional(Type.String({ maxLength: 10_000 })),
};

const PutBody = Type.Object(Settings, { additionalProperties: false });
const PatchBody = Type.Object(
  {
    ...Settings,
    configuredVersion: Type.Optional(Type.Union([VersionSchema, Type.Null()])),
    site: Type.Optional(Type.Union([Settings.site, Type.Null()])),
    notes: Type.Optional(Type.Union([Settings.notes, Type.Null()])),
  },
  { additionalProperties: false },
);

const time = (description?: string) =>
  Type.Optional(Type.String({ format: "date-time", ...(description === undefined ? {} : { description }) }));
const text = () => Type.Optional(Type.String());

const StationSchema = Type.Object(
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

/** When stations that are not connected were last heard of. */
export interface LastSeen {
  lastSeen(stationIds: readonly string[]): Promise<ReadonlyMap<string, Date>>;
}

/** What the routes work with. */
export interface StationRoutesOptions {
  readonly service: ProvisioningService;
  readonly directory: StationDirectory;
  readonly followUp: RegistrationFollowUp;
  readonly calls: () => StationCalls | undefined;
  readonly lastSeen: LastSeen | undefined;
  /** Seconds by which the station's clock is ahead, or undefined when nothing showed it. */
  readonly clockOffsetS: (stationId: string) => number | undefined;
}

const Params = Type.Object({ stationId: Type.String({ minLength: 1, maxLength: 128 }) });

const ListQuery = Type.Object({
  ...PageQuery.properties,
  connected: Type.Optional(Type.Boolean()),
  registrationStatus: Type.Optional(RegistrationStatusSchema),
  version: Type.Optional(VersionSchema),
  site: text(),
  tag: text(),
  search: Type.Optional(
    Type.String({ maxLength: 200, description: "Part of id, vendor, model, serial number, site or a tag" }),
  ),
});

/** Routes of stations: list, read, register, change, approve, reject, delete. */
export function stationRoutes(options: StationRoutesOptions): FastifyPluginAsyncTypebox {
  const { service, directory, followUp, calls } = options;
  const tags = ["stations"];

  async function present(stations: readonly Station[]): Promise<Static<typeof StationSchema>[]> {
    const offline = stations.filter(({ stationId }) => calls()?.session(stationId) === undefined);
    const seen = await options.lastSeen?.lastSeen(offline.map(({ stationId }) => stationId));
    return stations.map((station) => presentation(station, options, seen?.get(station.stationId)));
  }

  async function presentOne(station: Station | undefined, stationId: string): Promise<Static<typeof StationSchema>> {
    const [presented] = station === undefined ? [] : await present([station]);
    if (presented === undefined) throw notFound("station", stationId);
    return presented;
  }

  function takeEffect(before: RegistrationStatus | undefined, station: Station): void {
    if (before === station.registrationStatus || before === undefined) return;
    if (station.registrationStatus === "Accepted") void followUp.approved(station.stationId);
    else if (station.registrationStatus === "Rejected") void followUp.rejected(station.stationId);
  }

  return async (server) => {
    server.get(
      "/stations",
      { schema: { tags, summary: "List stations", querystring: ListQuery, response: { 200: PageOf(StationSchema) } } },
      async ({ query }): Promise<Page<Static<typeof StationSchema>>> => {
        const [after] = query.cursor === undefined ? [] : decodeCursor(query.cursor, ["string"]);
        const found: Station[] = [];
        for (const station of directory.after(after)) {
          if (!matches(station, query, calls())) continue;
          found.push(station);
          if (found.length > query.limit) break;
        }
        const items = await present(found.slice(0, query.limit));
        const last = items.at(-1);
        const more = found.length > query.limit && last !== undefined;
        return { items, nextCursor: more ? encodeCursor([last.stationId]) : null };
      },
    );

    server.get(
      "/stations/:stationId",
      { schema: { tags, summary: "Read a station", params: Params, response: { 200: StationSchema } } },
      async ({ params }) => presentOne(directory.find(params.stationId), params.stationId),
    );

    server.put(
      "/stations/:stationId",
      {
        schema: {
          tags,
          summary: "Register a station or replace its settings",
          description:
            "A new station is Accepted, with security profile 0, unless the body says otherwise; an existing one " +
            "keeps its registration and its security profile.",
          params: Params,
          body: PutBody,
          response: { 200: StationSchema, 201: StationSchema },
        },
      },
      async (request, reply) => {
        const { params, body } = request;
        const defect = identityDefect(params.stationId);
        if (defect !== undefined) {
          throw invalid([{ in: "path", field: "/stationId", rule: "identity", message: defect }]);
        }
        const before = directory.find(params.stationId)?.registrationStatus;
        const { station, created } = await service.put(params.stationId, (existing) => {
          refuseLowering(callerOf(request), existing, body.securityProfile);
          return {
            registrationStatus: body.registrationStatus ?? existing?.registrationStatus ?? "Accepted",
            securityProfile: body.securityProfile ?? existing?.securityProfile ?? 0,
            configuredVersion: body.configuredVersion,
            site: body.site,
            tags: body.tags ?? [],
            notes: body.notes,
          };
        });
        takeEffect(before, station);
        reply.code(created ? 201 : 200);
        return presentOne(station, params.stationId);
      },
    );

    server.patch(
      "/stations/:stationId",
      {
        schema: {
          tags,
          summary: "Change some settings of a station",
          description: "What the body leaves out stays; null removes. A security profile is lowered by administrators.",
          params: Params,
          body: PatchBody,
          response: { 200: StationSchema },
        },
      },
      async (request) => {
        const { params, body } = request;
        const before = directory.find(params.stationId)?.registrationStatus;
        refuseLowering(callerOf(request), directory.find(params.stationId), body.securityProfile);
        const station = await service.change(params.stationId, changeOf(body));
        if (station !== undefined) takeEffect(before, station);
        return presentOne(station, params.stationId);
      },
    );

    server.delete(
      "/stations/:stationId",
      {
        config: { role: "administrator" },
        schema: {
          tags,
          summary: "Forget a station",
          description: "Its transactions stay. By the policy for unknown stations it may come back.",
          params: Params,
          response: { 204: Type.Null() },
        },
      },
      async ({ params }, reply) => {
        if (!(await service.delete(params.stationId))) throw notFound("station", params.stationId);
        await calls()?.disconnect(params.stationId, "the station was deleted");
        return reply.code(204).send(null);
      },
    );

    server.post(
      "/stations/:stationId/approve",
      {
        schema: {
          tags,
          summary: "Let a station do business",
          description: "A connected station is asked to boot at once where its version allows.",
          params: Params,
          response: { 200: StationSchema },
        },
      },
      async (request) => {
        const { stationId } = request.params;
        const before = directory.find(stationId)?.registrationStatus;
        const station = await service.approve(stationId, callerOf(request).name);
        if (station !== undefined) takeEffect(before, station);
        return presentOne(station, stationId);
      },
    );

    server.post(
      "/stations/:stationId/reject",
      {
        schema: {
          tags,
          summary: "Refuse a station",
          description: "It is disconnected, and told Rejected when it boots.",
          params: Params,
          response: { 200: StationSchema },
        },
      },
      async ({ params: { stationId } }) => {
        const before = directory.find(stationId)?.registrationStatus;
        const station = await service.change(stationId, { registrationStatus: "Rejected" });
        if (station !== undefined) takeEffect(before, station);
        return presentOne(station, stationId);
      },
    );
  };
}

/** Credentials are set by administrators; whoever may not set them cannot make a station do without them either. */
function refuseLowering(caller: Caller, station: Station | undefined, asked: SecurityProfile | undefined): void {
  if (caller.role === "administrator" || station === undefined || asked === undefined) return;
  if (asked >= station.securityProfile) return;
  const detail = `this lowers the security profile and needs the role administrator; the key has ${caller.role}`;
  throw known("forbidden", undefined, detail, { needs: "administrator" });
}

function changeOf(body: Static<typeof PatchBody>): Partial<StationSettings> {
  const { registrationStatus, securityProfile, tags, ...removable } = body;
  return {
    ...(registrationStatus === undefined ? {} : { registrationStatus }),
    ...(securityProfile === undefined ? {} : { securityProfile }),
    ...(tags === undefined ? {} : { tags }),
    ...Object.fromEntries(Object.entries(removable).map(([name, value]) => [name, value ?? undefined])),
  };
}

function matches(station: Station, query: Static<typeof ListQuery>, calls: StationCalls | undefined): boolean {
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

function presentation(
  station: Station,
  options: StationRoutesOptions,
  lastSeenAt: Date | undefined,
): Static<typeof StationSchema> {
  const session = options.calls()?.session(station.stationId);
  const { inventoryStatus, inventoryAt, createdAt, lastBootAt, tags, ...rest } = station;
  const seenAt = session?.lastSeenAt ?? lastSeenAt;
  const offsetS = options.clockOffsetS(station.stationId);
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
  } as Static<typeof StationSchema>;
}
