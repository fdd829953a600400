import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { Kysely } from "kysely";
import { Type } from "typebox";
import { decodeCursor, PageOf, PageQuery, pageOfRows } from "../../api/paging.ts";
import { conflict, invalid, notFound } from "../../api/problem.ts";
import type { KnownStation, KnownStations } from "../../gateway/known-stations.ts";
import type { StoredCredentials } from "./credentials.ts";
import { readSecurityEvents } from "./store.ts";

/** What the routes work with. */
export interface SecurityApiDeps {
  readonly database: Kysely<unknown>;
  readonly stations: KnownStations;
  readonly credentials: StoredCredentials;
}

const Params = Type.Object({ stationId: Type.String({ minLength: 1, maxLength: 128 }) });
const SecurityProfile = Type.Enum([0, 1, 2, 3], {
  description: "0: no proof; 1: Basic without TLS; 2: Basic over TLS; 3: client certificate",
});

const Credentials = Type.Object({
  securityProfile: SecurityProfile,
  hasPassword: Type.Boolean(),
  certificateCommonName: Type.Union([Type.String(), Type.Null()]),
  changedAt: Type.Union([Type.String({ format: "date-time" }), Type.Null()]),
});

const CredentialsBody = Type.Object(
  {
    password: Type.Optional(
      Type.String({ minLength: 8, maxLength: 64, description: "Sent by the station as UTF-8; 16 characters or more" }),
    ),
    passwordHex: Type.Optional(
      Type.String({
        pattern: "^(?:[0-9A-Fa-f]{2}){8,64}$",
        description: "The bytes of the password, as an AuthorizationKey of 1.6 is configured",
      }),
    ),
    securityProfile: Type.Optional(SecurityProfile),
    certificateCommonName: Type.Optional(
      Type.Union([Type.String({ minLength: 1, maxLength: 128 }), Type.Null()], {
        description: "CN of the client certificate where it is neither the serial number nor the identity",
      }),
    ),
  },
  { additionalProperties: false },
);

const SecurityEvent = Type.Object({
  stationId: Type.String(),
  type: Type.String(),
  timestamp: Type.String({ format: "date-time", description: "By the station's clock" }),
  techInfo: Type.Union([Type.String(), Type.Null()]),
  receivedAt: Type.String({ format: "date-time" }),
});

/** Routes for credentials of stations and for what they report of their security. */
export function securityApi(deps: SecurityApiDeps): FastifyPluginAsyncTypebox {
  return async (server) => {
    await server.register(credentialRoutes(deps));
    await server.register(eventRoutes(deps));
  };
}

function credentialRoutes({ stations, credentials }: SecurityApiDeps): FastifyPluginAsyncTypebox {
  const tags = ["stations"];
  const config = { role: "administrator" } as const;

  function required(stationId: string): KnownStation {
    const station = stations.find(stationId);
    if (station === undefined) throw notFound("station", stationId);
    return station;
  }

  function present(stationId: string) {
    const { hasPassword, certificateCommonName, changedAt } = credentials.summary(stationId);
    return {
      securityProfile: required(stationId).securityProfile,
      hasPassword,
      certificateCommonName: certificateCommonName ?? null,
      changedAt: changedAt?.toISOString() ?? null,
    };
  }

  return async (server) => {
    server.get(
      "/stations/:stationId/credentials",
      {
        config,
        schema: {
          tags,
          summary: "See how a station proves who it is",
          description: "Passwords are stored as hashes and cannot be read.",
          params: Params,
          response: { 200: Credentials },
        },
      },
      async ({ params }) => present(params.stationId),
    );
    server.put(
      "/stations/:stationId/credentials",
      {
        config,
        schema: {
          tags,
          summary: "Set a station's password, security profile or certificate name",
          description:
            "What the body leaves out stays. The station itself is not told; its present connection stays until it ends.",
          params: Params,
          body: CredentialsBody,
          response: { 200: Credentials },
        },
      },
      async (request) => {
        const { stationId } = request.params;
        const { password, passwordHex, securityProfile, certificateCommonName } = request.body;
        if (password !== undefined && passwordHex !== undefined) {
          const message = "give either password or passwordHex";
          throw invalid([{ in: "body", field: "/passwordHex", rule: "oneOf", message }]);
        }
        const station = required(stationId);
        const bytes = password === undefined ? hexBytes(passwordHex) : Buffer.from(password, "utf8");
        const needsPassword = securityProfile === 1 || securityProfile === 2;
        if (needsPassword && bytes === undefined && !credentials.summary(stationId).hasPassword) {
          throw conflict(`security profile ${securityProfile} needs a password, and the station has none`);
        }
        request.auditDetail = {
          passwordChanged: bytes !== undefined,
          ...(securityProfile === undefined ? {} : { securityProfile }),
          ...(certificateCommonName === undefined ? {} : { certificateCommonName }),
        };
        if (bytes !== undefined || certificateCommonName !== undefined) {
          await credentials.change(stationId, { password: bytes, certificateCommonName });
        }
        if (securityProfile !== undefined && securityProfile !== station.securityProfile) {
          await stations.setSecurityProfile(stationId, securityProfile);
        }
        return present(stationId);
      },
    );
    server.delete(
      "/stations/:stationId/credentials",
      {
        config,
        schema: {
          tags,
          summary: "Remove a station's password and certificate name",
          description: "Not while its security profile needs the password.",
          params: Params,
          response: { 204: Type.Null() },
        },
      },
      async ({ params }, reply) => {
        const { securityProfile } = required(params.stationId);
        if (securityProfile === 1 || securityProfile === 2) {
          throw conflict(`security profile ${securityProfile} needs the password`);
        }
        await credentials.remove(params.stationId);
        return await reply.code(204).send(null);
      },
    );
  };
}

function hexBytes(text: string | undefined): Buffer | undefined {
  return text === undefined ? undefined : Buffer.from(text, "hex");
}

function eventRoutes({ database }: SecurityApiDeps): FastifyPluginAsyncTypebox {
  const EventQuery = Type.Object({
    ...PageQuery.properties,
    stationId: Type.Optional(Type.String({ maxLength: 128 })),
    type: Type.Optional(Type.String({ maxLength: 100 })),
  });
  return async (server) => {
    server.get(
      "/security-events",
      {
        schema: {
          tags: ["security"],
          summary: "List security events that stations reported, the last received first",
          querystring: EventQuery,
          response: { 200: PageOf(SecurityEvent) },
        },
      },
      async ({ query }) => {
        const { limit, cursor, stationId, type } = query;
        const after = cursor === undefined ? undefined : decodeCursor(cursor, ["string", "string", "string"]);
        const rows = await readSecurityEvents(database, { stationId, type, after, limit: limit + 1 });
        return pageOfRows(
          rows,
          limit,
          (row) => ({
            stationId: row.station_id,
            type: row.type,
            timestamp: row.occurred_at.toISOString(),
            techInfo: row.tech_info === "" ? null : row.tech_info,
            receivedAt: row.received_at.toISOString(),
          }),
          (row) => [row.received_at.toISOString(), row.station_id, row.type],
        );
      },
    );
  };
}
