import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { type Static, Type } from "typebox";
import { decodeCursor, PageOf, PageQuery, pageOfRows } from "../../api/paging.ts";
import { conflict, notFound } from "../../api/problem.ts";
import {
  type EnergyTotal,
  type Metering,
  type MeterValueFilter,
  meterValueSchema,
  summarySchema,
  toMeterValueJson,
  toSummaryJson,
} from "../metering/index.ts";
import type { StoredTransaction, TransactionStore } from "./store.ts";
import type { Transaction } from "./transaction.ts";
import type { StoredEvent } from "./transaction-rows.ts";
import type { JudgedToken } from "./transaction-state.ts";

const time = (description: string) => Type.String({ format: "date-time", description });

const TokenSchema = Type.Object({
  idToken: Type.String(),
  type: Type.Optional(Type.String()),
  status: Type.Optional(Type.String({ description: "The verdict that was given" })),
  groupIdToken: Type.Optional(Type.String()),
});

const EnergySchema = Type.Object({
  energyWh: Type.Optional(Type.Number({ description: "Absent when nothing is known" })),
  method: Type.String({ description: "How it was found: register, phase-registers, intervals or none" }),
  confidence: Type.String({ description: "high, medium, low or none" }),
  notes: Type.Array(Type.String(), { description: "Why the confidence is not higher, or what was left out" }),
});

const Status = Type.Enum(["Open", "Ended", "Abandoned"], {
  description: "Abandoned: its end is not known, but it is over; abandonedBy tells by which rule",
});

const TransactionProperties = {
  id: Type.String({ description: "Identity in this system" }),
  stationId: Type.String(),
  transactionId: Type.String({ description: "As the station names it" }),
  status: Status,
  evseId: Type.Optional(Type.Integer()),
  connectorId: Type.Optional(Type.Integer()),
  idToken: Type.Optional(TokenSchema),
  stopIdToken: Type.Optional(TokenSchema),
  chargingState: Type.Optional(Type.String()),
  startedAt: Type.Optional(time("Absent when its start has not come")),
  endedAt: Type.Optional(time("Absent when its end has not come")),
  abandonedBy: Type.Optional(
    Type.Enum(["Superseded", "ConnectorFree", "StationDenies", "Operator"], {
      description:
        "Superseded: its EVSE serves a later transaction. ConnectorFree: its connector was shown free. " +
        "StationDenies: the station knows of no such transaction after a boot. Operator: somebody closed it",
    }),
  ),
  closedAt: Type.Optional(time("When it was closed although its end had not come")),
  supersededAt: Type.Optional(time("When its EVSE began to serve another transaction")),
  firstEventAt: time("By the station's clock"),
  lastEventAt: time("By the station's clock"),
  receivedAt: time("When we first heard of it"),
  updatedAt: time("When it last changed here"),
  stoppedReason: Type.Optional(Type.String()),
  remoteStartId: Type.Optional(Type.Integer()),
  reservationId: Type.Optional(Type.Integer()),
  timeSpentChargingS: Type.Optional(Type.Integer()),
  offline: Type.Boolean({ description: "Whether any of it happened while the station was offline" }),
  energyWh: Type.Optional(Type.Number({ description: "Imported energy; absent when nothing is known" })),
  exportedEnergyWh: Type.Optional(Type.Number()),
  powerW: Type.Optional(Type.Number({ description: "Last reported import" })),
  socPercent: Type.Optional(Type.Number()),
};

const TransactionSchema = Type.Object(TransactionProperties);

const EventSchema = Type.Object({
  eventType: Type.Enum(["Started", "Updated", "Ended"]),
  triggerReason: Type.String(),
  timestamp: time("By the station's clock"),
  receivedAt: time("When it reached us"),
  seqNo: Type.Optional(Type.Integer({ description: "OCPP 2.x only" })),
  offline: Type.Boolean(),
  facts: Type.Record(Type.String(), Type.Unknown(), { description: "What else the event told" }),
});

const DetailSchema = Type.Object({
  ...TransactionProperties,
  imported: EnergySchema,
  exported: Type.Optional(EnergySchema),
  meterStartWh: Type.Optional(Type.Number()),
  meterStopWh: Type.Optional(Type.Number()),
  missingSeqNos: Type.Array(Type.Object({ from: Type.Integer(), to: Type.Integer() }), {
    description: "Events that the station counted and we have not got (OCPP 2.x)",
  }),
  attributions: Type.Array(Type.String(), { description: "Rules by which messages were counted to it by evidence" }),
  events: Type.Array(EventSchema, { description: "The first events in order of time; `moreEvents` tells of others" }),
  moreEvents: Type.Boolean(),
  meter: Type.Array(summarySchema, { description: "A summary of each series of meter values" }),
});

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

/** Events that are shown with a transaction itself. */
const EVENTS_SHOWN = 200;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Routes that show transactions. */
export function transactionRoutes(
  store: TransactionStore,
  metering: Pick<Metering, "read" | "summarise">,
  close: (id: string) => Promise<boolean>,
): FastifyPluginAsyncTypebox {
  const tags = ["Transactions"];
  const find = async (id: string): Promise<StoredTransaction> => {
    const found = UUID.test(id) ? await store.get(id) : undefined;
    if (found === undefined) throw notFound("transaction", id);
    return found;
  };

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
        const found = await find(params.id);
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
        await find(params.id);
        if (!(await close(params.id))) throw conflict("the transaction is not open");
        return transactionJson(await find(params.id));
      },
    );

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
        await find(params.id);
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
        const { transaction } = await find(params.id);
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

function present<Value extends object>(values: Value): { [Key in keyof Value]: Exclude<Value[Key], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}

function iso(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}

function tokenJson(token: JudgedToken | undefined): Static<typeof TokenSchema> | undefined {
  return token && { ...token };
}

function energyJson({ milliWh, method, confidence, notes }: EnergyTotal): Static<typeof EnergySchema> {
  return { ...(milliWh === undefined ? {} : { energyWh: milliWh / 1000 }), method, confidence, notes: [...notes] };
}

function milliToUnit(milli: number | undefined): number | undefined {
  return milli === undefined ? undefined : milli / 1000;
}

function transactionJson({ transaction, receivedAt, updatedAt }: StoredTransaction): Static<typeof TransactionSchema> {
  const { identity, state, imported, exported } = transaction;
  return present({
    id: identity.id,
    stationId: identity.stationId,
    transactionId: identity.transactionId,
    status: transaction.status,
    evseId: transaction.evseId,
    connectorId: transaction.connectorId,
    idToken: tokenJson(state.token?.value),
    stopIdToken: tokenJson(state.stopToken?.value),
    chargingState: transaction.latest("chargingState"),
    startedAt: iso(state.started?.value.atMs),
    endedAt: iso(state.ended?.value.atMs),
    abandonedBy: transaction.abandonedBy,
    closedAt: iso(state.closed?.atMs),
    supersededAt: iso(state.supersededAtMs),
    firstEventAt: new Date(state.firstAtMs).toISOString(),
    lastEventAt: new Date(transaction.lastAtMs).toISOString(),
    receivedAt: receivedAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
    stoppedReason: state.ended?.value.stoppedReason,
    remoteStartId: state.earliest.remoteStartId?.value,
    reservationId: transaction.latest("reservationId"),
    timeSpentChargingS: transaction.latest("timeSpentChargingS"),
    offline: state.offline,
    energyWh: milliToUnit(imported.milliWh),
    exportedEnergyWh: milliToUnit(exported?.milliWh),
    powerW: transaction.shown("Power.Active.Import"),
    socPercent: transaction.shown("SoC"),
  });
}

function eventJson(event: StoredEvent): Static<typeof EventSchema> {
  return {
    eventType: event.eventType,
    triggerReason: event.triggerReason,
    timestamp: new Date(event.atMs).toISOString(),
    receivedAt: event.receivedAt.toISOString(),
    ...(event.seqNo === undefined ? {} : { seqNo: event.seqNo }),
    offline: event.offline,
    facts: { ...event.facts },
  };
}

function detailJson(
  found: StoredTransaction,
  events: readonly StoredEvent[],
  meter: Parameters<typeof toSummaryJson>[0][],
): Static<typeof DetailSchema> {
  const { transaction } = found;
  const { state, imported, exported } = transaction;
  // Without the start nobody knows which number was the first.
  const firstSeqNo = state.started?.value.seqNo;
  return {
    ...transactionJson(found),
    ...present({
      meterStartWh: state.earliest.meterStartWh?.value,
      meterStopWh: state.ended?.value.meterStopWh,
      exported: exported && energyJson(exported),
    }),
    imported: energyJson(imported),
    missingSeqNos: (firstSeqNo === undefined ? [] : transaction.seqNos.gaps(firstSeqNo)).map(([from, to]) => ({
      from,
      to,
    })),
    attributions: [...(state.attributions ?? [])],
    events: events.slice(0, EVENTS_SHOWN).map(eventJson),
    moreEvents: events.length > EVENTS_SHOWN,
    meter: meter.map(toSummaryJson),
  };
}
