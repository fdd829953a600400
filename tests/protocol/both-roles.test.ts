import {
  type CatalogueEntry,
  catalogue,
  definitionsOf,
  JsonCsms,
  type JsonSchema,
  JsonStation,
  type OcppVersion,
  ocppVersions,
  type Role,
  SoapCsms,
  SoapStation,
  type SoapVersion,
  soapVersions,
} from "@polyphase/ocpp";
import { arbitraryFromSchema } from "@polyphase/testing";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isXmlText, runsPerMessage } from "./every-message.ts";

const IDENTITY = "CS 1 ä";

/** What all connections have, whatever their version and role. */
interface Caller {
  callUntyped(action: string, payload: unknown): Promise<unknown>;
  send(action: never, payload: never): Promise<void>;
}

/** A call as the role that was called saw it. */
interface Seen {
  readonly action: string;
  readonly payload: unknown;
}

/** One side of a connection: calls the other, and answers every action with what it was told to answer. */
class Party {
  connection: Caller | undefined;
  answer: unknown;
  #wake: (seen: Seen) => void = () => undefined;

  /** The next call that comes in. */
  next(): Promise<Seen> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  readonly take = (payload: unknown, { action }: { readonly action: string }): unknown => {
    this.#wake({ action, payload });
    return this.answer;
  };
}

interface Pair {
  readonly parties: Readonly<Record<Role, Party>>;
  close(): Promise<void>;
}

function newParties(): Readonly<Record<Role, Party>> {
  return { CSMS: new Party(), ChargingStation: new Party() };
}

async function connectByJson(version: OcppVersion): Promise<Pair> {
  const parties = newParties();
  const csms = new JsonCsms().handleOthers(parties.CSMS.take);
  const { port } = await csms.listen({ port: 0, host: "127.0.0.1" });
  const station = new JsonStation({
    url: `ws://127.0.0.1:${port}/ocpp`,
    identity: IDENTITY,
    versions: [version],
  }).handleOthers(parties.ChargingStation.take);
  parties.ChargingStation.connection = await station.connect();
  parties.CSMS.connection = csms.connections.get(IDENTITY);
  return {
    parties,
    async close() {
      await station.close({ graceMs: 0 });
      await csms.close({ graceMs: 0 });
    },
  };
}

async function connectBySoap(version: SoapVersion): Promise<Pair> {
  const parties = newParties();
  const csms = new SoapCsms().handleOthers(parties.CSMS.take);
  const { port } = await csms.listen({ port: 0, host: "127.0.0.1" });
  const station = new SoapStation({
    url: `http://127.0.0.1:${port}/ocpp/soap`,
    identity: IDENTITY,
    version,
    listen: { port: 0, host: "127.0.0.1" },
  }).handleOthers(parties.ChargingStation.take);
  await station.start();
  parties.ChargingStation.connection = station.connection;
  // The CSMS learns from a station's first request where to call it.
  parties.CSMS.answer = { currentTime: "2026-03-01T12:00:00Z" };
  await station.connection.callUntyped("Heartbeat", {});
  parties.CSMS.connection = csms.connections.get(IDENTITY);
  return {
    parties,
    async close() {
      await station.close({ graceMs: 0 });
      await csms.close({ graceMs: 0 });
    },
  };
}

/** One action in one direction. */
interface Exchange {
  readonly name: string;
  readonly entry: CatalogueEntry;
  readonly from: Role;
}

const otherRole: Readonly<Record<Role, Role>> = { CSMS: "ChargingStation", ChargingStation: "CSMS" };

function exchangesOf(entries: Iterable<CatalogueEntry>): readonly Exchange[] {
  return [...entries].flatMap((entry) => {
    const callers: readonly Role[] = entry.from === "Both" ? ["ChargingStation", "CSMS"] : [entry.from];
    return callers.map((from) => ({ name: `${entry.action} from ${from}`, entry, from }));
  });
}

/** Whether XML tells every part of the value from nothing; an empty text or list would come out absent. */
function isDistinctInXml(value: unknown): boolean {
  if (typeof value === "string") return value.trim() !== "" && isXmlText(value);
  if (typeof value !== "object" || value === null) return true;
  if (Array.isArray(value) && value.length === 0) return false;
  return Object.values(value).every(isDistinctInXml);
}

function instancesOf(entry: CatalogueEntry, schema: JsonSchema | undefined, overXml: boolean): fc.Arbitrary<unknown> {
  if (schema === undefined) return fc.constant(undefined);
  const all = arbitraryFromSchema(schema, definitionsOf(entry.version));
  return overXml ? all.filter(isDistinctInXml) : all;
}

async function exchangeOnce({ parties }: Pair, { entry, from }: Exchange, request: unknown, response: unknown) {
  const caller = parties[from].connection;
  const called = parties[otherRole[from]];
  if (caller === undefined) throw new Error("not connected");
  called.answer = response;
  const seen = called.next();
  if (entry.kind === "SEND") {
    await caller.send(entry.action as never, request as never);
  } else {
    expect(await caller.callUntyped(entry.action, request)).toEqual(response);
  }
  expect(await seen).toEqual({ action: entry.action, payload: request });
}

function proveAll(open: () => Promise<Pair>, entries: Iterable<CatalogueEntry>, overXml: boolean): void {
  let pair: Pair | undefined;
  beforeAll(async () => {
    pair = await open();
  });
  afterAll(() => pair?.close());

  test.each(exchangesOf(entries))("$name reaches the other side, and its answer comes back", async (exchange) => {
    const opened = pair;
    if (opened === undefined) throw new Error("not connected");
    const { entry } = exchange;
    await fc.assert(
      fc.asyncProperty(
        instancesOf(entry, entry.requestSchema, overXml),
        instancesOf(entry, entry.responseSchema, overXml),
        (request, response) => exchangeOnce(opened, exchange, request, response),
      ),
      runsPerMessage(1),
    );
  });
}

describe.each(ocppVersions)("OCPP %s over WebSocket", (version) => {
  proveAll(() => connectByJson(version), catalogue(version).values(), false);
});

describe.each(soapVersions)("OCPP %s over SOAP", (version) => {
  const entries = [...catalogue(version).values()].filter(({ securityExtension }) => !securityExtension);
  proveAll(() => connectBySoap(version), entries, true);
});
