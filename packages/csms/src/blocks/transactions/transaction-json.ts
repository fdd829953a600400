import { type Static, Type } from "typebox";
import { type EnergyTotal, summarySchema, toSummaryJson } from "../metering/index.ts";
import type { StoredTransaction } from "./store.ts";
import type { JudgedToken } from "./transaction/transaction-state.ts";
import type { StoredEvent } from "./transaction-rows.ts";

/** Events that are shown with a transaction itself. */
export const EVENTS_SHOWN = 200;

/** A time in the answers, with what it is the time of. */
export const time = (description: string) => Type.String({ format: "date-time", description });

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

/** Schema of a transaction's status. */
export const Status = Type.Enum(["Open", "Ended", "Abandoned"], {
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

/** Schema of a transaction in lists. */
export const TransactionSchema = Type.Object(TransactionProperties);

/** Schema of a transaction's event. */
export const EventSchema = Type.Object({
  eventType: Type.Enum(["Started", "Updated", "Ended"]),
  triggerReason: Type.String(),
  timestamp: time("By the station's clock"),
  receivedAt: time("When it reached us"),
  seqNo: Type.Optional(Type.Integer({ description: "OCPP 2.x only" })),
  offline: Type.Boolean(),
  facts: Type.Record(Type.String(), Type.Unknown(), { description: "What else the event told" }),
});

/** Schema of a transaction with its timeline, totals and meter values in summary. */
export const DetailSchema = Type.Object({
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

/** A transaction by {@link TransactionSchema}. */
export function transactionJson({
  transaction,
  receivedAt,
  updatedAt,
}: StoredTransaction): Static<typeof TransactionSchema> {
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

/** An event by {@link EventSchema}. */
export function eventJson(event: StoredEvent): Static<typeof EventSchema> {
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

/** A transaction by {@link DetailSchema}: with its first {@link EVENTS_SHOWN} events, of which one more may be given. */
export function detailJson(
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
