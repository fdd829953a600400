import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { RawStation, type WireFrame } from "../system/raw-station.ts";
import { bothFamilies } from "./charging-messages.ts";
import { type CallOutcome, runWatchedCsms, type WatchedCsms } from "./watched-csms.ts";

let csms: WatchedCsms;

beforeAll(async () => {
  csms = await runWatchedCsms();
});

afterEach(() => csms.untilLoad({}));
afterAll(() => csms.close());

const IGNORED = "polyphase_station_ignored_total";

/** A station that answers a call when the test says so. */
async function silent(identity: string, subprotocol: string): Promise<RawStation> {
  const station = await RawStation.connect(csms, identity, [subprotocol]);
  station.answerCall = () => undefined;
  return station;
}

const idOf = ([, messageId]: WireFrame) => messageId;
const accepted = (messageId: string, status = "Accepted") => JSON.stringify([3, messageId, { status }]);

/** A call that the station has, and what becomes of it. */
async function called(
  station: RawStation,
  index: number,
  timeoutS?: number,
): Promise<{ readonly messageId: string; readonly outcome: Promise<CallOutcome> }> {
  const outcome = csms.call(station.identity, "ClearCache", {}, timeoutS);
  return { messageId: idOf(await station.callNumber("ClearCache", index)), outcome };
}

describe.each(bothFamilies)("a station of %s that never answers", (subprotocol) => {
  it("fails the call as timed out, and the calls behind it go on", async () => {
    const station = await silent(`NEVER-${subprotocol}`, subprotocol);
    const first = await called(station, 0, 0.2);
    const second = csms.call(station.identity, "ClearCache", {}, 20);
    expect(await first.outcome).toMatchObject({ status: 504, what: "station-timeout", body: { timeoutMs: 200 } });
    station.send(accepted(idOf(await station.callNumber("ClearCache", 1)), "Rejected"));
    expect(await second).toMatchObject({ status: 200, body: { status: "Rejected" } });
    expect(station.socket.readyState).toBe(station.socket.OPEN);
    await station.close();
  });
});

describe.each(bothFamilies)("a call for a station of %s that keeps an earlier call waiting", (subprotocol) => {
  it("is not sent when its turn does not come in time, and the caller is told so", async () => {
    const station = await silent(`TURN-${subprotocol}`, subprotocol);
    const first = await called(station, 0, 20);
    const second = await csms.call(station.identity, "ClearCache", {}, 0.2);
    expect(second).toMatchObject({ status: 503, what: "station-busy" });
    station.send(accepted(first.messageId));
    expect(await first.outcome).toMatchObject({ status: 200 });
    const third = await called(station, 1, 20);
    station.send(accepted(third.messageId));
    expect(await third.outcome).toMatchObject({ status: 200 });
    await station.close();
  });
});

describe.each(bothFamilies)("an answer of %s that comes after the time-out", (subprotocol) => {
  it.each([
    ["a CALLRESULT", (messageId: string) => accepted(messageId)],
    ["a CALLERROR", (messageId: string) => JSON.stringify([4, messageId, "InternalError", "too late", {}])],
  ])("as %s is ignored, counted, and not taken for the answer to a later call", async (name, late) => {
    const station = await silent(`LATE-${name.at(-1)}-${subprotocol}`, subprotocol);
    const ignored = await csms.metric(IGNORED);
    const first = await called(station, 0, 0.2);
    expect(await first.outcome).toMatchObject({ what: "station-timeout" });
    const second = await called(station, 1);
    station.send(late(first.messageId));
    expect(await station.answersTo()).toEqual([]);
    expect(await csms.metric(IGNORED)).toBe(ignored + 1);
    station.send(accepted(second.messageId, "Rejected"));
    expect(await second.outcome).toMatchObject({ status: 200, body: { status: "Rejected" } });
    await station.close();
  });
});

describe.each(bothFamilies)("an answer of %s that nobody waits for", (subprotocol) => {
  it("is ignored and counted: an id never sent, an answer given twice, the id of the station's own call", async () => {
    const station = await silent(`STRAY-${subprotocol}`, subprotocol);
    const ignored = await csms.metric(IGNORED);
    expect(await station.answersTo(accepted("never-sent"))).toEqual([]);
    expect(await station.answersTo(JSON.stringify([4, "never-sent", "GenericError", "", {}]))).toEqual([]);
    expect(await csms.metric(IGNORED)).toBe(ignored + 2);

    const first = await called(station, 0);
    station.send(accepted(first.messageId));
    station.send(accepted(first.messageId, "Rejected"));
    expect(await first.outcome).toMatchObject({ status: 200, body: { status: "Accepted" } });
    const second = await called(station, 1);
    station.send(accepted(first.messageId, "Rejected"));
    // The station answers a call of its own.
    await station.ask("Heartbeat", {}, "own");
    station.send(accepted("own"));
    expect(await station.answersTo()).toEqual([]);
    expect(await csms.metric(IGNORED)).toBe(ignored + 5);
    station.send(accepted(second.messageId));
    expect(await second.outcome).toMatchObject({ status: 200, body: { status: "Accepted" } });
    await station.close();
  });

  it("is not taken where it is for a call on the connection before", async () => {
    const identity = `BEFORE-${subprotocol}`;
    const old = await silent(identity, subprotocol);
    const first = await called(old, 0);
    old.socket.terminate();
    expect(await first.outcome).toMatchObject({ what: "station-offline", body: { wasAsked: true } });
    const station = await silent(identity, subprotocol);
    const second = await called(station, 0);
    expect(second.messageId).not.toBe(first.messageId);
    station.send(accepted(first.messageId));
    expect(await station.answersTo()).toEqual([]);
    station.send(accepted(second.messageId, "Rejected"));
    expect(await second.outcome).toMatchObject({ status: 200, body: { status: "Rejected" } });
    await station.close();
  });
});
