import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { catalogue } from "@polyphase/ocpp";
import type { Kysely } from "kysely";
import { Type } from "typebox";
import { decodeCursor, PageOf, PageQuery, pageOfRows } from "../api/paging.ts";
import { type CommandRegistry, UnknownCommandError } from "./commands.ts";
import type { KnownStations } from "./known-stations.ts";
import { readMessages } from "./message-log/message-page.ts";
import type { StationCalls } from "./station-messages.ts";
import { requireStation, StationParams } from "./station-params.ts";

/** What the routes of the gateway work with. */
export interface GatewayApiDeps {
  readonly database: Kysely<unknown>;
  readonly stations: KnownStations;
  readonly calls: StationCalls;
  readonly commands: CommandRegistry;
}

const CommandParams = Type.Object({
  ...StationParams.properties,
  command: Type.String({ description: "Name as listed by `GET /commands`" }),
});
const CallQuery = Type.Object({
  timeoutS: Type.Optional(
    Type.Number({ exclusiveMinimum: 0, maximum: 600, description: "Seconds to wait for the station's answer" }),
  ),
});
const Payload = Type.Record(Type.String(), Type.Unknown());
const StationAnswer = Type.Unknown({ description: "The payload with which the station answered" });

const Command = Type.Object({
  command: Type.String({ description: "Name for `POST /stations/{id}/commands/{command}`" }),
  action: Type.String({ description: "Action of OCPP 2.1" }),
  functionalBlock: Type.String(),
});
const CommandDescription = Type.Object({
  ...Command.properties,
  requestSchema: Type.Unknown({ description: "JSON Schema of the body; references point into `definitions`" }),
  responseSchema: Type.Unknown({ description: "JSON Schema of the answer" }),
});

const Message = Type.Object({
  id: Type.Integer(),
  recordedAt: Type.String({ format: "date-time" }),
  version: Type.String(),
  transport: Type.String(),
  direction: Type.String({ description: "`received` from the station, or `sent` to it" }),
  kind: Type.String({ description: "CALL, CALLRESULT, CALLERROR, CALLRESULTERROR, SEND or malformed" }),
  action: Type.String({ description: "Empty where it cannot be known" }),
  messageId: Type.String(),
  errorCode: Type.Union([Type.String(), Type.Null()]),
  text: Type.String({ description: "Frame or envelope as it was on the wire, but for secrets" }),
});
const MessageQuery = Type.Object({
  ...PageQuery.properties,
  direction: Type.Optional(Type.Enum(["received", "sent"])),
  kind: Type.Optional(Type.Enum(["CALL", "CALLRESULT", "CALLERROR", "CALLRESULTERROR", "SEND", "malformed"])),
  action: Type.Optional(Type.String({ maxLength: 100 })),
  messageId: Type.Optional(Type.String({ maxLength: 255 })),
  from: Type.Optional(Type.String({ format: "date-time", description: "From this time on" })),
  to: Type.Optional(Type.String({ format: "date-time", description: "Before this time" })),
});

/** Routes to command and call stations, and to see what they said. */
export function gatewayApi(deps: GatewayApiDeps): FastifyPluginAsyncTypebox {
  return async (server) => {
    await server.register(commandRoutes(deps));
    await server.register(callRoutes(deps));
    await server.register(messageRoutes(deps));
  };
}

const timeoutOf = ({ timeoutS }: { timeoutS?: number }) =>
  timeoutS === undefined ? {} : { timeoutMs: timeoutS * 1000 };

function describe(command: string, action: string) {
  return { command, action, functionalBlock: catalogue("2.1").get(action)?.functionalBlock ?? "" };
}

function commandRoutes({ stations, commands }: GatewayApiDeps): FastifyPluginAsyncTypebox {
  return async (server) => {
    server.get(
      "/commands",
      { schema: { tags: ["commands"], summary: "List commands", response: { 200: PageOf(Command) } } },
      async () => ({
        items: [...commands.names()].map(([command, action]) => describe(command, action)),
        nextCursor: null,
      }),
    );
    server.get(
      "/commands/:command",
      {
        schema: {
          tags: ["commands"],
          summary: "Describe a command",
          params: Type.Object({ command: Type.String() }),
          response: { 200: CommandDescription },
        },
      },
      async ({ params }) => {
        const action = commands.names().get(params.command);
        const entry = action === undefined ? undefined : catalogue("2.1").get(action);
        if (action === undefined || entry === undefined) throw new UnknownCommandError(params.command);
        const { requestSchema, responseSchema } = entry;
        return { ...describe(params.command, action), requestSchema, responseSchema };
      },
    );
    server.post(
      "/stations/:stationId/commands/:command",
      {
        schema: {
          tags: ["commands"],
          summary: "Command a station in words of OCPP 2.1",
          description: "Answers with what the station answered, in words of 2.1 whatever version it speaks.",
          params: CommandParams,
          querystring: CallQuery,
          body: Payload,
          response: { 200: StationAnswer },
        },
      },
      async (request) => {
        const { stationId, command } = request.params;
        requireStation(stations, stationId);
        request.auditDetail = { command };
        return await commands.run(stationId, command, request.body, timeoutOf(request.query));
      },
    );
  };
}

function callRoutes({ stations, calls }: GatewayApiDeps): FastifyPluginAsyncTypebox {
  return async (server) => {
    server.post(
      "/stations/:stationId/calls",
      {
        schema: {
          tags: ["commands"],
          summary: "Call a station in its own version",
          description: "The payload is validated by the schema of the station's version. Answers with its response.",
          params: StationParams,
          querystring: CallQuery,
          body: Type.Object(
            { action: Type.String({ minLength: 1, maxLength: 100 }), payload: Payload },
            { additionalProperties: false },
          ),
          response: { 200: StationAnswer },
        },
      },
      async (request) => {
        const { action, payload } = request.body;
        requireStation(stations, request.params.stationId);
        request.auditDetail = { action };
        return await calls.callRaw(request.params.stationId, action, payload, timeoutOf(request.query));
      },
    );
    server.post(
      "/stations/:stationId/disconnect",
      {
        schema: {
          tags: ["stations"],
          summary: "End a station's connection",
          description: "A station connects again by itself. Nothing happens when it is not connected.",
          params: StationParams,
          response: { 204: Type.Null() },
        },
      },
      async (request, reply) => {
        requireStation(stations, request.params.stationId);
        await calls.disconnect(request.params.stationId, "ended by an operator");
        return await reply.code(204).send(null);
      },
    );
  };
}

function messageRoutes({ stations, database }: GatewayApiDeps): FastifyPluginAsyncTypebox {
  return async (server) => {
    server.get(
      "/stations/:stationId/messages",
      {
        schema: {
          tags: ["stations"],
          summary: "List a station's messages, the newest first",
          description:
            "Frames and envelopes of both directions, a call followed by its answer. They appear within a second. Of a " +
            "station's Heartbeats one a minute is kept.",
          params: StationParams,
          querystring: MessageQuery,
          response: { 200: PageOf(Message) },
        },
      },
      async ({ params, query }) => {
        requireStation(stations, params.stationId);
        const { limit, cursor, ...filter } = query;
        const beforeId = cursor === undefined ? undefined : decodeCursor(cursor, ["number"])[0];
        const rows = await readMessages(database, {
          ...filter,
          stationId: params.stationId,
          beforeId,
          limit: limit + 1,
        });
        return pageOfRows(
          rows,
          limit,
          (row) => row,
          ({ id }) => [id],
        );
      },
    );
  };
}
