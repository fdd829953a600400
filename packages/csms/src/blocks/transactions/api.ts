import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { decodeCursor, PageOf, PageQuery, pageOfRows } from "../../api/paging.ts";
import { conflict, notFound } from "../../api/problem.ts";
import { type Metering, type MeterValueFilter, meterValueSchema, toMeterValueJson } from "../metering/index.ts";
import type { StoredTransaction, TransactionStore } from "./store.ts";
import type { Transaction } from "./transaction/transaction.ts";
import {
  DetailSchema,
  detailJson,
  EVENTS_SHOWN,
  EventSchema,
  eventJson,
  Status,
  TransactionSchema,
  time,
  transactionJson,
} from "./transaction-json.ts";

const Params = Type.Object({ id: Type.String({ minLength: 1, maxLength: 64 }) });
const ListQuery = Type.Object({
  ...PageQuery.properties,
  stationId: Type.Optional(Type.String({ maxLength: 128 })),
  evseId: Type.Optional(Type.Integer({ minimum: 0 })),
  idToken: Type.Optional(Type.String({ maxLength: 255, description: "In any case of letters" })),
  status: Type.Optional(Status),
  transactionId: Type.Optional(Type.String({ maxLength: 64, description: "As the station names it" })),
  remoteStartId: Type.Optional(Type.Integer()),
  from: Type.Optional(time("First event at or after")),
  to: Type.Optional(time("First event at or before")),
});
const ValuesQuery = Type.Object({
  ...PageQuery.properties,
  measurand: Type.Optional(Type.String({ maxLength: 64 })),
});

const tags = ["Transactions"];

/** Routes that show transactions. */
export function transactionRoutes(
  store: TransactionStore,
  metering: Pick<Metering, "read" | "summarise">,
  close: (id: string) => Promise<boolean>,
): FastifyPluginAsyncTypebox {
  return async (server) => {
    await server.register(listRoutes(store));
    await server.register(itemRoutes(store, metering, close));
    await server.register(timelineRoutes(store, metering));
  };
}

function listRoutes(store: TransactionStore): FastifyPluginAsyncTypebox {
  return async (server) => {
    server.get(
      "/transactions",
      {
        schema: {
          tags,
          summary: "List transactions, newest first",
          querystring: ListQuery,
          response: { 200: PageOf(TransactionSchema) },
        },
      },
      async ({ query }) => {
        const { limit, cursor, from, to, ...filter } = query;
        const [firstMs, id] = cursor === undefined ? [] : decodeCursor(cursor, ["number", "string"]);
        const found = await store.list(
          { ...filter, from: dateOf(from), to: dateOf(to) },
          {
            limit: limit + 1,
            after: firstMs === undefined || id === undefined ? undefined : { firstAt: new Date(firstMs), id },
          },
        );
        return pageOfRows(found, limit, transactionJson, ({ transaction }) => [
          transaction.state.firstAtMs,
          transaction.identity.id,
        ]);
      },
    );
  };
}

function itemRoutes(
  store: TransactionStore,
  metering: Pick<Metering, "summarise">,
  close: (id: string) => Promise<boolean>,
): FastifyPluginAsyncTypebox {
  return async (server) => {
    server.get(
      "/transactions/:id",
      {
        schema: {
          tags,
          summary: "Read a transaction with its timeline, totals and meter values in summary",
          params: Params,
          response: { 200: DetailSchema },
        },
      },
      async ({ params }) => {
        const found = await find(store, params.id);
        const [events, meter] = await Promise.all([
          store.events(params.id, { limit: EVENTS_SHOWN + 1 }),
          summaryOf(metering, found.transaction),
        ]);
        return detailJson(found, events, meter);
      },
    );

    server.post(
      "/transactions/:id/close",
      {
        schema: {
          tags,
          summary: "Close an open transaction whose end will not come",
          description:
            "Changes the books only: the station is told nothing, requestStopTransaction does that. The transaction " +
            "becomes Abandoned, and Ended when its end comes after all. 409 when it is not open.",
          params: Params,
          response: { 200: TransactionSchema },
        },
      },
      async ({ params }) => {
        await find(store, params.id);
        if (!(await close(params.id))) throw conflict("the transaction is not open");
        return transactionJson(await find(store, params.id));
      },
    );
  };
}

/** What a transaction was told, piece by piece. */
function timelineRoutes(store: TransactionStore, metering: Pick<Metering, "read">): FastifyPluginAsyncTypebox {
  return async (server) => {
    server.get(
      "/transactions/:id/events",
      {
        schema: {
          tags,
          summary: "List a transaction's events in order of time",
          params: Params,
          querystring: PageQuery,
          response: { 200: PageOf(EventSchema) },
        },
      },
      async ({ params, query }) => {
        await find(store, params.id);
        const [atMs, key] = query.cursor === undefined ? [] : decodeCursor(query.cursor, ["number", "string"]);
        const after = atMs === undefined || key === undefined ? undefined : { at: new Date(atMs), key };
        const events = await store.events(params.id, { limit: query.limit + 1, after });
        return pageOfRows(events, query.limit, eventJson, (event) => [event.atMs, event.key]);
      },
    );

    server.get(
      "/transactions/:id/meter-values",
      {
        schema: {
          tags,
          summary: "List a transaction's meter values in order of time",
          params: Params,
          querystring: ValuesQuery,
          response: { 200: PageOf(meterValueSchema) },
        },
      },
      async ({ params, query }) => {
        const { transaction } = await find(store, params.id);
        const [atMs, key] = query.cursor === undefined ? [] : decodeCursor(query.cursor, ["number", "string"]);
        const after = atMs === undefined || key === undefined ? undefined : { atMs, key };
        const filter = meterFilterOf(transaction);
        if (filter === undefined) return { items: [], nextCursor: null };
        const values = await metering.read(
          { ...filter, measurand: query.measurand },
          { limit: query.limit + 1, after },
        );
        return pageOfRows(values, query.limit, toMeterValueJson, (value) => [value.atMs, value.key]);
      },
    );
  };
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

async function find(store: TransactionStore, id: string): Promise<StoredTransaction> {
  const found = UUID.test(id) ? await store.get(id) : undefined;
  if (found === undefined) throw notFound("transaction", id);
  return found;
}

function dateOf(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : new Date(text);
}

/** Where a transaction's meter values are found; nothing when it has none. */
function meterFilterOf(transaction: Transaction): MeterValueFilter | undefined {
  const { identity, metered } = transaction;
  return metered && { stationId: identity.stationId, transaction: identity.id, ...metered };
}

async function summaryOf(metering: Pick<Metering, "summarise">, transaction: Transaction) {
  const filter = meterFilterOf(transaction);
  return filter === undefined ? [] : await metering.summarise(filter);
}
