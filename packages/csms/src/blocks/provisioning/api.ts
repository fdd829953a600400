import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { type Static, Type } from "typebox";
import { known } from "../../api/error-mapping.ts";
import { decodeCursor, encodeCursor, type Page, PageOf, PageQuery } from "../../api/paging.ts";
import { invalid, notFound } from "../../api/problem.ts";
import { type Caller, callerOf } from "../../api/roles.ts";
import type { RegistrationStatus, SecurityProfile } from "../../gateway/known-stations.ts";
import { identityDefect } from "../../gateway/station-identity.ts";
import type { RegistrationFollowUp } from "./registration-follow-up.ts";
import type { ProvisioningService } from "./service.ts";
import type { Station, StationSettings } from "./station.ts";
import type { StationDirectory } from "./station-directory.ts";
import { matches, stationFilter } from "./station-filter.ts";
import {
  RegistrationStatusSchema,
  SecurityProfileSchema,
  type StationJson,
  StationSchema,
  type StationSources,
  showStation,
  showStations,
  VersionSchema,
} from "./station-json.ts";

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

/** What the routes work with. */
export interface StationRoutesOptions extends StationSources {
  readonly service: ProvisioningService;
  readonly directory: StationDirectory;
  readonly followUp: RegistrationFollowUp;
}

const Params = Type.Object({ stationId: Type.String({ minLength: 1, maxLength: 128 }) });

const ListQuery = Type.Object({ ...PageQuery.properties, ...stationFilter.properties });

const tags = ["stations"];

/** Routes of stations: list, read, register, change, delete, approve, reject. */
export function stationRoutes(options: StationRoutesOptions): FastifyPluginAsyncTypebox {
  return async (server) => {
    await server.register(readRoutes(options));
    await server.register(registerRoutes(options));
    await server.register(changeRoutes(options));
    await server.register(decisionRoutes(options));
  };
}

function readRoutes(options: StationRoutesOptions): FastifyPluginAsyncTypebox {
  const { service, directory, calls } = options;
  return async (server) => {
    server.get(
      "/stations",
      { schema: { tags, summary: "List stations", querystring: ListQuery, response: { 200: PageOf(StationSchema) } } },
      async ({ query }): Promise<Page<StationJson>> => {
        const [after] = query.cursor === undefined ? [] : decodeCursor(query.cursor, ["string"]);
        const found: Station[] = [];
        for (const station of directory.after(after)) {
          if (!matches(station, query, calls())) continue;
          found.push(station);
          if (found.length > query.limit) break;
        }
        const items = await showStations(found.slice(0, query.limit), options);
        const last = items.at(-1);
        const more = found.length > query.limit && last !== undefined;
        return { items, nextCursor: more ? encodeCursor([last.stationId]) : null };
      },
    );

    server.get(
      "/stations/:stationId",
      { schema: { tags, summary: "Read a station", params: Params, response: { 200: StationSchema } } },
      async ({ params }) => {
        service.lookedAt(params.stationId);
        return showStation(directory.find(params.stationId), params.stationId, options);
      },
    );
  };
}

function registerRoutes(options: StationRoutesOptions): FastifyPluginAsyncTypebox {
  const { service, directory, followUp } = options;
  return async (server) => {
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
        requireIdentity(params.stationId);
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
        takeEffect(followUp, before, station);
        reply.code(created ? 201 : 200);
        return showStation(station, params.stationId, options);
      },
    );
  };
}

function changeRoutes(options: StationRoutesOptions): FastifyPluginAsyncTypebox {
  const { service, directory, followUp, calls } = options;
  return async (server) => {
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
        if (station !== undefined) takeEffect(followUp, before, station);
        return showStation(station, params.stationId, options);
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
  };
}

/** Whether a station may do business. */
function decisionRoutes(options: StationRoutesOptions): FastifyPluginAsyncTypebox {
  const { service, directory, followUp } = options;
  return async (server) => {
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
        if (station !== undefined) takeEffect(followUp, before, station);
        return showStation(station, stationId, options);
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
        if (station !== undefined) takeEffect(followUp, before, station);
        return showStation(station, stationId, options);
      },
    );
  };
}

/** Tells a connected station what was decided. */
function takeEffect(
  followUp: RegistrationFollowUp,
  before: RegistrationStatus | undefined,
  { stationId, registrationStatus }: Station,
): void {
  if (before === registrationStatus || before === undefined) return;
  if (registrationStatus === "Accepted") void followUp.approved(stationId);
  else if (registrationStatus === "Rejected") void followUp.rejected(stationId);
}

/** @throws ProblemError 400 when no station could connect by that identity */
function requireIdentity(stationId: string): void {
  const defect = identityDefect(stationId);
  if (defect === undefined) return;
  throw invalid([{ in: "path", field: "/stationId", rule: "identity", message: defect }]);
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
