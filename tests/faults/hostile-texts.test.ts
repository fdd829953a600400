import { definitionsOf, type OcppVersion, ocppVersions, soapVersions } from "@polyphase/ocpp";
import pg from "pg";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { SeededRandom } from "../protocol/seeded-random.ts";
import { newIds, useHonestCsms } from "../system/honest-csms.ts";
import { counted, RawStation, rawRequest, type WireFrame } from "../system/raw-station.ts";
import { type Item, listAll } from "../system/running-csms.ts";
import { fitted, fullInstance, type NumberOf, type TextOf } from "./full-instance.ts";
import { LogLines } from "./log-lines.ts";
import { soapBody, soapEnvelope, stationEntries } from "./station-messages.ts";

const log = new LogLines();
const running = useHonestCsms({ POLYPHASE_LOG_LEVEL: "debug" }, log);
let schema: readonly unknown[];

beforeAll(async () => {
  schema = await schemaOfDatabase();
});

afterEach(async () => {
  expect(log.findings).toEqual([]);
});

const newId = newIds();

/** Columns, indexes and functions of the database; partitions come and go with the days. */
async function schemaOfDatabase(): Promise<readonly unknown[]> {
  const client = new pg.Client({ connectionString: running.databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query(`
      select c.relname, c.relkind, a.attname, a.atttypid::regtype::text as type, a.attnotnull
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      where n.nspname = 'public' and not c.relispartition
      order by 1, 2, 3`);
    const functions = await client.query(`
      select p.proname, md5(prosrc) from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where n.nspname = 'public' order by 1`);
    return [...rows, ...functions.rows];
  } finally {
    await client.end();
  }
}

/** Characters of three and four bytes in no order, which no index can compress. */
function incompressible(length: number): string {
  const random = new SeededRandom(length);
  return Array.from({ length }, () => String.fromCodePoint(0x2_0000 + random.below(40_000))).join("");
}

const repeated =
  (text: string): TextOf =>
  (maxLength) =>
    fitted(text, maxLength);

const payloads: readonly { readonly what: string; readonly textOf: TextOf }[] = [
  { what: "the end of a statement", textOf: repeated("'); drop table station; --") },
  { what: "a quote and a backslash", textOf: repeated(`"\\'\`"`) },
  { what: "a parameter", textOf: repeated("$1") },
  { what: "an array of PostgreSQL", textOf: repeated('{1,"a\\"b",NULL}') },
  { what: "a null of COPY", textOf: repeated("\\N") },
  { what: "a line of a log", textOf: repeated('"}\n{"level":60,"msg":"forged"}\n') },
  { what: "other line ends", textOf: repeated("a\r\nb\u2028c\u2029d\u0085e") },
  { what: "a terminal's escape", textOf: repeated("\u001b[31m\u0007\u001b]0;x\u0007") },
  { what: "a template", textOf: repeated("{{7*7}}$".concat("{7*7}%s%n#{1}")) },
  { what: "markup", textOf: repeated("<script>alert(1)</script>&lt;") },
  { what: "a name of JavaScript", textOf: repeated("__proto__") },
  { what: "text that runs the other way", textOf: repeated("\u202eabc\u2066\u200b\ufeff") },
  { what: "a NUL", textOf: repeated("a\0b") },
  { what: "control characters", textOf: repeated("\u0001\b\u000b\u000c\u001f\u007f") },
  { what: "noncharacters", textOf: repeated("\ufffe\uffff\u{10ffff}") },
  {
    what: "as much as may be, in four bytes each",
    textOf: (maxLength) => incompressible(Math.min(maxLength ?? 500, 5_000)),
  },
  {
    what: "eight times too much, in four bytes each",
    textOf: (maxLength) => incompressible(Math.min((maxLength ?? 500) * 8, 5_000)),
  },
];

const numbers = [0, -1, 2 ** 31, -(2 ** 31) - 1, 2 ** 53, -(2 ** 63), 1e300, 1e-300, 0.1];

/** Requests of all actions with the text and the number in every place, as they would be on the wire. */
function requests(
  version: OcppVersion,
  textOf: TextOf,
  numberOf?: NumberOf,
): readonly { action: string; isCall: boolean; payload: object }[] {
  const definitions = definitionsOf(version);
  return stationEntries(version).map(({ action, kind, requestSchema }) => {
    const payload = fullInstance(requestSchema, definitions, textOf, numberOf) as Record<string, unknown>;
    if ("customData" in payload) {
      payload.customData = { vendorId: textOf(255), [textOf(50)]: { nested: [textOf(500)] } };
    }
    return { action, isCall: kind === "CALL", payload };
  });
}

function connect(version: OcppVersion): Promise<RawStation> {
  return RawStation.connect(running, newId(`TEXT-${version}`), [`ocpp${version}`]);
}

/** Boots as a station must before anything else is taken. */
async function boot(station: RawStation, version: OcppVersion): Promise<void> {
  const facts =
    version === "2.0.1" || version === "2.1"
      ? { reason: "PowerUp", chargingStation: { model: "M", vendorName: "V" } }
      : { chargePointVendor: "V", chargePointModel: "M" };
  await station.call("BootNotification", facts);
}

/** Sends all requests at once and sees that each is answered, by a result or an error that says what is wrong. */
async function expectAnswers(station: RawStation, sent: ReturnType<typeof requests>): Promise<void> {
  // Others are served in the same groups of writes.
  const meanwhile = running.honest.expectServed();
  const answers = await Promise.all(
    sent.map(async ({ action, isCall, payload }, index): Promise<WireFrame | undefined> => {
      if (isCall) return station.ask(action, payload, `t${index}`);
      station.send(JSON.stringify([6, `t${index}`, action, payload]));
      return undefined;
    }),
  );
  await meanwhile;
  for (const [index, answer] of answers.entries()) {
    if (answer === undefined) continue;
    expect([3, 4]).toContain(answer[0]);
    expect(answer[2], `${sent[index]?.action}: ${JSON.stringify(answer).slice(0, 400)}`).not.toBe("InternalError");
  }
  expect(await counted(running, "polyphase_station_failures_total")).toBe(0);
}

describe.each(ocppVersions)("every text of every message of OCPP %s", (version) => {
  it.each(payloads)("may be $what", async ({ textOf }) => {
    const station = await connect(version);
    await boot(station, version);
    const sent = requests(version, textOf);
    await expectAnswers(station, sent);
    await station.close();
    await expectShown(station.identity, sent);
  });
});

describe.each(ocppVersions)("every number of every message of OCPP %s", (version) => {
  it.each(numbers)("may be %d", async (number) => {
    const station = await connect(version);
    await boot(station, version);
    const textOf = repeated("n");
    await expectAnswers(
      station,
      requests(version, textOf, () => number),
    );
    // Again, with the number only where the schema has no bounds.
    const within: NumberOf = ({ minimum = -Infinity, maximum = Infinity }) =>
      number < minimum ? minimum : Math.min(number, maximum);
    await expectAnswers(station, requests(version, textOf, within));
    await station.close();
  });
});

/** The log of messages shows each as it came; a NUL, which no database holds, is escaped in it anyhow. */
async function expectShown(
  stationId: string,
  sent: readonly { readonly action: string; readonly payload: object }[],
): Promise<void> {
  const path = `/stations/${stationId}`;
  const messages = await messagesOf(path, sent.length);
  for (const [index, { action, payload }] of sent.entries()) {
    const text = messages.get(`t${index}`);
    expect(text, action).toBe(JSON.stringify([text?.startsWith("[6") ? 6 : 2, `t${index}`, action, payload]));
  }
  for (const part of ["", "/variables", "/connectors"]) {
    expect((await running.api("GET", `${path}${part}`)).status, part).not.toBe(500);
  }
}

async function messagesOf(path: string, least: number): Promise<ReadonlyMap<string, string>> {
  for (let attempt = 0; ; attempt++) {
    const items = (await listAll(running.csms.httpUrl, `${path}/messages`)) as readonly Item[];
    const received = items.filter(
      ({ direction, messageId }) => direction === "received" && String(messageId).startsWith("t"),
    );
    const texts = new Map(received.map(({ messageId, text }) => [String(messageId), String(text)]));
    if (texts.size >= least || attempt === 200) return texts;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe.each(soapVersions)("every text of every message of OCPP-S %s", (version) => {
  it.each(payloads)("may be $what, as far as XML has it", async ({ textOf }) => {
    const identity = newId(`SOAP-${version}`);
    const definitions = definitionsOf(version);
    for (const entry of stationEntries(version).filter(({ securityExtension }) => securityExtension !== true)) {
      let body: string;
      try {
        body = soapBody(version, entry, fullInstance(entry.requestSchema, definitions, textOf));
      } catch {
        continue;
      }
      const answer = await rawRequest(running.urlFor("1.5"), {
        method: "POST",
        body: soapEnvelope(version, identity, body),
        headers: { "content-type": "application/soap+xml; charset=utf-8" },
      });
      expect([200, 400, 500], answer.text).toContain(answer.status);
      expect(answer.text, entry.action).not.toContain("InternalError");
    }
    expect(await counted(running, "polyphase_station_failures_total")).toBe(0);
  });
});

it("leaves the schema of the database as it was", async () => {
  expect(await schemaOfDatabase()).toEqual(schema);
});

it("leaves lists of everything readable", async () => {
  for (const path of ["/stations", "/transactions", "/events", "/id-tokens"]) {
    expect((await running.api("GET", `${path}?limit=500`)).status, path).toBe(200);
  }
});
