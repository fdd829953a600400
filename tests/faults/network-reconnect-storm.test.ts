import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { listAll } from "../system/running-csms.ts";
import { RawWebSocket } from "./raw-websocket.ts";
import { runWatchedCsms, type WatchedCsms } from "./watched-csms.ts";

const STATIONS = 500;
const ROUNDS = 10;
/** Every fifth station proves itself by a password (security profile 1). */
const hasPassword = (index: number) => index % 5 === 0;
const identityOf = (index: number) => `STORM-${index}`;
const passwordOf = (index: number) => `a-password-of-station-${index}`;
const subprotocolOf = (index: number) => (index % 2 === 0 ? "ocpp1.6" : "ocpp2.1");

let csms: WatchedCsms;

beforeAll(async () => {
  csms = await runWatchedCsms();
  // The others register by themselves when they connect first.
  const indices = Array.from({ length: STATIONS }, (_, index) => index).filter(hasPassword);
  await inParallel(indices, 10, async (index) => {
    const path = `/stations/${identityOf(index)}`;
    expect((await csms.api("PUT", path, {})).status).toBe(201);
    const credentials = { password: passwordOf(index), securityProfile: 1 };
    expect((await csms.api("PUT", `${path}/credentials`, credentials)).status).toBeLessThan(300);
  });
});

afterAll(() => csms.close());

async function inParallel<T>(items: readonly T[], width: number, work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

function connect(index: number): Promise<RawWebSocket> {
  const credentials = Buffer.from(`${identityOf(index)}:${passwordOf(index)}`).toString("base64");
  return RawWebSocket.connect(csms.csms.ocppPort, `/ocpp/${identityOf(index)}`, {
    subprotocol: subprotocolOf(index),
    ...(hasPassword(index) ? { headers: { Authorization: `Basic ${credentials}` } } : {}),
  });
}

/** One round: every station connects anew, whether it closes, cuts or just leaves its old socket behind. */
async function round(number: number, before: readonly RawWebSocket[]): Promise<RawWebSocket[]> {
  for (const [index, raw] of before.entries()) {
    if ((index + number) % 3 === 0) raw.cut();
    else if ((index + number) % 3 === 1) void raw.close();
  }
  return await Promise.all(Array.from({ length: STATIONS }, (_, index) => connect(index)));
}

function heartbeat(raw: RawWebSocket, id: string): Promise<string> {
  return new Promise((resolve) => {
    raw.onText = resolve;
    raw.frame(`[2,"${id}","Heartbeat",{}]`);
  });
}

describe(`${STATIONS} stations that connect anew in one moment, ${ROUNDS} times`, () => {
  let left: RawWebSocket[] = [];

  it("are connected once each in the end, and every one of them is served", async () => {
    const memory: number[] = [];
    for (let number = 0; number < ROUNDS; number++) {
      left = await round(number, left);
      memory.push(process.memoryUsage().rss);
    }
    await csms.untilLoad({ stations: STATIONS, sockets: STATIONS });
    const answers = await Promise.all(left.map((raw, index) => heartbeat(raw, `last-${index}`)));
    for (const [index, answer] of answers.entries()) expect(answer).toContain(`[3,"last-${index}"`);
    const items = await listAll(csms.csms.httpUrl, "/stations?connected=true");
    expect(new Set(items.map(({ stationId }) => stationId)).size).toBe(STATIONS);
    // What a round leaves behind would add up: both ends of the sockets are in this process.
    const [, , third = 0] = memory;
    expect((memory.at(-1) ?? 0) - third).toBeLessThan(150 * 2 ** 20);
    expect(await csms.metric("polyphase_station_failures_total")).toBe(0);
    expect(await csms.metric("polyphase_station_handshakes_refused_total")).toBe(0);
    // Seconds on a machine of its own; nothing here judges time.
  }, 240_000);

  it("leave nothing behind when they go", async () => {
    for (const raw of left) raw.cut();
    await csms.untilLoad({});
    const items = await listAll(csms.csms.httpUrl, "/stations?connected=true");
    expect(items).toEqual([]);
  });
});
