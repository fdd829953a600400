import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { onlyTransactionOf, RawStation, rawRequest } from "../system/raw-station.ts";
import { eventually } from "../system/running-csms.ts";
import { bothFamilies, chargingMessages, type Subprotocol, sessionWh } from "./charging-messages.ts";
import { runWatchedCsms, type WatchedCsms } from "./watched-csms.ts";

let csms: WatchedCsms;

beforeAll(async () => {
  csms = await runWatchedCsms();
  await csms.api("PUT", "/id-tokens/NETWORK", { type: "ISO14443", status: "Accepted" });
});

afterEach(() => csms.untilLoad({}));
afterAll(() => csms.close());

const stationOf = async (identity: string) => (await csms.api("GET", `/stations/${identity}`)).body;

/** The connects and disconnects of a station, once there are so many. */
function comings(identity: string, number: number): Promise<readonly unknown[]> {
  return eventually(`${number} events of ${identity}`, async () => {
    const events = await csms.events(identity, "station.connected", "station.disconnected");
    return events.length >= number ? events.map(({ type }) => type) : undefined;
  });
}

async function booted(identity: string, subprotocol: Subprotocol): Promise<RawStation> {
  const station = await RawStation.connect(csms, identity, [subprotocol]);
  expect(await station.call(...chargingMessages(subprotocol, "").boot)).toMatchObject({ status: "Accepted" });
  return station;
}

const replaced = { code: 1008, reason: "replaced by a newer connection" };

describe.each(bothFamilies)("a second socket of a station of %s", (subprotocol) => {
  it("fails the calls of the first one, tells which was sent, and takes the next ones", async () => {
    const identity = `CALLS-${subprotocol}`;
    const old = await RawStation.connect(csms, identity, [subprotocol]);
    old.answerCall = () => undefined;
    const pending = Promise.all([1, 2, 3].map(() => csms.call(identity, "ClearCache", {}, 300)));
    await old.called("ClearCache");
    await csms.untilLoad({ stations: 1, sockets: 1, calls: 3 });
    const newest = await RawStation.connect(csms, identity, [subprotocol]);
    newest.answerCall = () => ({ status: "Accepted" });
    expect(await old.ended).toEqual(replaced);
    expect(await csms.call(identity, "ClearCache")).toMatchObject({ status: 200 });
    const outcomes = await pending;
    expect(outcomes.map(({ status, what }) => [status, what])).toEqual(Array(3).fill([503, "station-offline"]));
    expect(outcomes.map(({ body }) => body.wasAsked).toSorted()).toEqual([false, false, true]);
    expect(newest.calls).toHaveLength(1);
    expect(await stationOf(identity)).toMatchObject({ connected: true });
    await newest.close();
    expect(await comings(identity, 4)).toEqual([
      "station.connected",
      "station.disconnected",
      "station.connected",
      "station.disconnected",
    ]);
    expect(await stationOf(identity)).toMatchObject({ connected: false });
  });

  it("leaves what the first one sent in the books, and answers it nowhere but where it is repeated", async () => {
    const identity = `BOOKS-${subprotocol}`;
    const messages = chargingMessages(subprotocol, "T");
    const old = await booted(identity, subprotocol);
    const answer = await old.call(...messages.start);
    const held = await csms.holdCommits();
    const [action, payload] = messages.stop(answer);
    old.send(JSON.stringify([2, "in-flight", action, payload]));
    await csms.untilLoad({ stations: 1, sockets: 1, requests: 1 });
    const newest = await RawStation.connect(csms, identity, [subprotocol]);
    expect(await old.ended).toEqual(replaced);
    await held.release();
    await csms.untilLoad({ stations: 1, sockets: 1 });
    expect(await onlyTransactionOf(csms, identity)).toMatchObject({ status: "Ended", energyWh: sessionWh });
    expect([...old.answers, ...newest.answers].filter(([, id]) => id === "in-flight")).toEqual([]);
    expect((await newest.ask(action, payload, "in-flight"))[0]).toBe(3);
    const { id } = await onlyTransactionOf(csms, identity);
    expect((await csms.api("GET", `/transactions/${id}/events`)).body.items).toHaveLength(2);
    await newest.close();
  });

  it("of many that come in one moment is one that stays, and works", async () => {
    const identity = `MANY-${subprotocol}`;
    const all = await Promise.all(Array.from({ length: 40 }, () => RawStation.connect(csms, identity, [subprotocol])));
    await csms.untilLoad({ stations: 1, sockets: 1 });
    const left = all.filter(({ socket }) => socket.readyState === socket.OPEN);
    expect(left).toHaveLength(1);
    const [station] = left;
    if (station === undefined) throw new Error("no station is left");
    for (const gone of all.filter((other) => other !== station)) expect(await gone.ended).toEqual(replaced);
    station.answerCall = () => ({ status: "Accepted" });
    expect(await csms.call(identity, "ClearCache")).toMatchObject({ status: 200 });
    expect(await station.call("Heartbeat", {})).toMatchObject({ currentTime: expect.any(String) });
    await station.close();
    const types = await comings(identity, 80);
    expect(types).toEqual(Array.from({ length: 80 }, (_, index) => `station.${index % 2 ? "dis" : ""}connected`));
  });
});

describe("a station that changes its transport", () => {
  /** A Heartbeat of OCPP-S 1.5 without an address at which the station could be called. */
  async function soapHeartbeat(identity: string): Promise<number> {
    const body =
      '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:c="urn://Ocpp/Cs/2012/06/">' +
      `<s:Header><c:chargeBoxIdentity>${identity}</c:chargeBoxIdentity></s:Header>` +
      "<s:Body><c:heartbeatRequest/></s:Body></s:Envelope>";
    const headers = { "content-type": "application/soap+xml; charset=utf-8" };
    return (await rawRequest(csms.urlFor("1.5"), { method: "POST", body, headers })).status;
  }

  it("is served in the new one each time, and seen to leave before it comes", async () => {
    const identity = "TURNCOAT";
    expect(await soapHeartbeat(identity)).toBe(200);
    const first = await RawStation.connect(csms, identity);
    expect(await first.call("Heartbeat", {})).toMatchObject({ currentTime: expect.any(String) });
    expect(await stationOf(identity)).toMatchObject({ connected: true });
    expect(await soapHeartbeat(identity)).toBe(200);
    expect(await first.ended).toMatchObject({ reason: "the station sent a request by SOAP" });
    expect(await soapHeartbeat(identity)).toBe(200);
    const second = await RawStation.connect(csms, identity);
    await second.close();
    const connected = "station.connected";
    const disconnected = "station.disconnected";
    expect(await comings(identity, 8)).toEqual(Array(4).fill([connected, disconnected]).flat());
    expect(await stationOf(identity)).toMatchObject({ connected: false });
  });
});
