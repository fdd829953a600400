import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { FastifyReply, FastifyRequest } from "fastify";
import { type Static, Type } from "typebox";
import type { EventLog } from "../../events/event-log.ts";
import type { EventFilter, EventStore } from "../../events/event-store.ts";
import { known } from "../error-mapping.ts";
import { decodeCursor, MAX_PAGE_LIMIT, PageOf, pageOfRows } from "../paging.ts";
import { type Caller, callerOf } from "../roles.ts";
import { type EventOutput, eventJson, followEvents } from "./event-follower.ts";

/** What the routes of events need. */
export interface EventRoutesOptions {
  readonly events: EventLog;
  readonly store: EventStore;
  /** Whether a caller's key still exists and has not expired: asked while it follows. */
  isStillAllowed(caller: Caller): boolean;
  /** Default 15 s. */
  readonly keepAliveMs?: number;
  /** Default 30 s. */
  readonly stallMs?: number;
  /** Most streams at once; default 500. */
  readonly maxStreams?: number;
}

/** An event as it is in lists and streams, and in the body of webhooks. */
export const EventSchema = Type.Object(
  {
    id: Type.Integer({ description: "Grows in the order in which events were stored" }),
    type: Type.String({ description: "Kind of event, for example `transaction.started`" }),
    stationId: Type.String({ description: "The station concerned; empty where none is" }),
    timestamp: Type.String({ format: "date-time", description: "When it happened" }),
    data: Type.Object({}, { additionalProperties: true, description: "Its shape follows from `type`" }),
  },
  { description: "Something that happened, in words of OCPP 2.1" },
);

const EventQuery = Type.Object({
  type: Type.Optional(
    Type.String({
      maxLength: 1000,
      description: "Only these types, separated by commas: `transaction.started,transaction.ended`",
    }),
  ),
  stationId: Type.Optional(Type.String({ maxLength: 255, description: "Only events of this station" })),
  since: Type.Optional(Type.String({ format: "date-time", description: "Only events stored at this time or later" })),
  until: Type.Optional(Type.String({ format: "date-time", description: "Only events stored before; lists only" })),
  after: Type.Optional(
    Type.Integer({
      minimum: 0,
      description: "Streams only: begin after this id, as `Last-Event-ID` does; 0 is the beginning",
    }),
  ),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_PAGE_LIMIT, description: "Lists only; default 50" })),
  cursor: Type.Optional(Type.String({ maxLength: 1024, description: "Lists only: `nextCursor` of the page before" })),
});

type EventQuery = Static<typeof EventQuery>;

const description = `Two forms of the same events, chosen by \`Accept\`:

\`text/event-stream\` (also without \`Accept\`) follows events live as server-sent events. It begins with the next event,
or after \`Last-Event-ID\` (a header that browsers send when they reconnect), \`after\` or \`since\`, without gap or repeat.
A message \`history.truncated\` comes first when events after that id have been deleted by retention.

\`application/json\`, or any request with \`limit\` or \`cursor\`, lists stored events, newest first.`;

/** Routes of domain events: `GET /events` as a list and as server-sent events. */
export function eventRoutes(options: EventRoutesOptions): FastifyPluginAsyncTypebox {
  return async (app) => {
    const stopping = new AbortController();
    let streams = 0;
    app.addHook("preClose", async () => stopping.abort());
    app.get(
      "/events",
      {
        // A stream has no length and no end for HEAD to tell of.
        exposeHeadRoute: false,
        schema: {
          operationId: "getEvents",
          tags: ["events"],
          summary: "Follow or list events",
          description,
          querystring: EventQuery,
          headers: Type.Object({
            "last-event-id": Type.Optional(
              Type.String({ maxLength: 20, description: "Id of the last event received" }),
            ),
          }),
          response: {
            200: {
              description: "A stream, or a page of a list",
              content: {
                "application/json": { schema: PageOf(EventSchema) },
                "text/event-stream": { schema: Type.String() },
              },
            },
          },
        },
      },
      async (request, reply) => {
        const { query } = request;
        if (!wantsStream(request, query))
          return reply.type("application/json").send(await listEvents(options.store, query));
        const cursor = await startOf(request.headers["last-event-id"], query, options);
        if (streams >= (options.maxStreams ?? 500)) {
          throw known("too-many-streams", undefined, undefined, {}, { "retry-after": "5" });
        }
        streams += 1;
        try {
          await stream(request, reply, cursor, filterOf(query), options, stopping.signal);
        } finally {
          streams -= 1;
        }
        return reply;
      },
    );
  };
}

function wantsStream(request: FastifyRequest, query: EventQuery): boolean {
  const accept = request.headers.accept ?? "*/*";
  if (accept.includes("text/event-stream")) return true;
  return !accept.includes("application/json") && query.limit === undefined && query.cursor === undefined;
}

function filterOf({ type, stationId }: EventQuery): EventFilter {
  const types = type?.split(",").map((one) => one.trim());
  return { types: types === undefined ? undefined : new Set(types), stationId };
}

async function listEvents(store: EventStore, query: EventQuery) {
  const limit = query.limit ?? 50;
  const rows = await store.list({
    ...filterOf(query),
    limit: limit + 1,
    before: query.cursor === undefined ? undefined : decodeCursor(query.cursor, ["number"])[0],
    since: query.since === undefined ? undefined : new Date(query.since),
    until: query.until === undefined ? undefined : new Date(query.until),
  });
  return pageOfRows(rows, limit, eventJson, (row) => [row.id]);
}

/** Where a stream begins. The header of a reconnecting browser wins over the address it was opened with. */
async function startOf(
  lastEventId: string | undefined,
  query: EventQuery,
  options: EventRoutesOptions,
): Promise<number> {
  if (lastEventId !== undefined && /^\d{1,15}$/.test(lastEventId)) return Number(lastEventId);
  if (query.after !== undefined) return query.after;
  if (query.since !== undefined) return options.store.idBefore(new Date(query.since));
  return options.events.newestId;
}

async function stream(
  request: FastifyRequest,
  reply: FastifyReply,
  cursor: number,
  filter: EventFilter,
  options: EventRoutesOptions,
  stopping: AbortSignal,
): Promise<void> {
  const caller = callerOf(request);
  const { newest, deletedThrough } = await options.store.extent();
  const { raw } = reply;
  const gone = new AbortController();
  raw.once("close", () => gone.abort());
  reply.hijack();
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value);
  raw.writeHead(200, {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store, no-transform",
    // Proxies of the nginx kind would hold events back.
    "x-accel-buffering": "no",
  });
  raw.write("retry: 2000\n\n");
  if (cursor < deletedThrough) raw.write(`event: history.truncated\ndata: ${JSON.stringify({ deletedThrough })}\n\n`);
  try {
    const end = await followEvents({
      events: options.events,
      // An id beyond the end was given by another database; to wait until this one gets there would be silence.
      cursor: Math.min(cursor, Math.max(newest, options.events.newestId)),
      filter,
      output: raw as EventOutput & NodeJS.EventEmitter,
      signal: AbortSignal.any([gone.signal, stopping]),
      keepAliveMs: options.keepAliveMs ?? 15_000,
      stallMs: options.stallMs ?? 30_000,
      isAllowed: () => options.isStillAllowed(caller),
    });
    request.log.debug({ end }, "an event stream ended");
    if (end === "stalled") raw.destroy();
    else raw.end();
  } catch (error) {
    // The reader connects again and resumes; a half-written stream cannot carry a problem document.
    request.log.warn({ err: error }, "an event stream broke off");
    raw.destroy();
  }
}
