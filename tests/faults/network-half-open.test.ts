import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RawStation } from "../system/raw-station.ts";
import { eventually } from "../system/running-csms.ts";
import { bothFamilies, chargingMessages } from "./charging-messages.ts";
import { frameBytes, RawWebSocket } from "./raw-websocket.ts";
import { runWatchedCsms, type WatchedCsms } from "./watched-csms.ts";

let csms: WatchedCsms;

beforeAll(async () => {
  // Whoever is there has time to answer on the busiest machine.
  csms = await runWatchedCsms({ POLYPHASE_PING_INTERVAL: "1", POLYPHASE_PONG_TIMEOUT: "5" });
});

afterAll(async () => {
  await csms.untilLoad({});
  await csms.close();
});

const isConnected = async (identity: string) => (await csms.api("GET", `/stations/${identity}`)).body.connected;

async function untilOffline(identity: string): Promise<void> {
  await eventually(`${identity} offline`, async () => ((await isConnected(identity)) === false ? true : undefined));
}

/** A TCP connection that stays open while nobody reads or writes at its other end: what a lost line looks like. */
async function vanish(identity: string, subprotocol: string): Promise<RawWebSocket> {
  const raw = await RawWebSocket.connect(csms.csms.ocppPort, `/ocpp/${identity}`, { subprotocol });
  raw.socket.pause();
  return raw;
}

describe.concurrent.each(bothFamilies)("a station of %s whose line is lost without a word", (subprotocol) => {
  it("is noticed by the ping that it does not answer; calls fail as offline, and not by their own time-out", async () => {
    const identity = `VANISHED-${subprotocol}`;
    const raw = await vanish(identity, subprotocol);
    const calls = await Promise.all([1, 2].map(() => csms.call(identity, "ClearCache", {}, 300)));
    expect(calls.map(({ status, what }) => [status, what])).toEqual(Array(2).fill([503, "station-offline"]));
    expect(calls.map(({ body }) => body.wasAsked).toSorted()).toEqual([false, true]);
    expect(await csms.call(identity, "ClearCache")).toMatchObject({
      what: "station-offline",
      body: { wasAsked: false },
    });
    expect(await isConnected(identity)).toBe(false);
    const events = await eventually("both events", async () => {
      const found = await csms.events(identity, "station.connected", "station.disconnected");
      return found.length === 2 ? found : undefined;
    });
    expect(events).toMatchObject([
      { type: "station.connected" },
      { type: "station.disconnected", data: { reason: "no pong" } },
    ]);
    raw.cut();
  });

  it("is noticed as well where it is lost in the midst of a message", async () => {
    const identity = `HALF-${subprotocol}`;
    const raw = await vanish(identity, subprotocol);
    const [action, payload] = chargingMessages(subprotocol, "T").boot;
    const frame = frameBytes(JSON.stringify([2, "half", action, payload]));
    raw.socket.write(frame.subarray(0, frame.length - 5));
    await untilOffline(identity);
    raw.cut();
  });

  it("is noticed where the other end still acknowledges every byte, but answers none", async () => {
    const identity = `ZOMBIE-${subprotocol}`;
    const zombie = await RawStation.connect(csms, identity, [subprotocol], { autoPong: false });
    await untilOffline(identity);
    expect(await zombie.ended).toEqual({ code: 1006, reason: "" });
  });

  it("may come back at once: the new connection takes the place of the lost one before that is noticed", async () => {
    const identity = `BACK-${subprotocol}`;
    const raw = await RawWebSocket.connect(csms.csms.ocppPort, `/ocpp/${identity}`, { subprotocol });
    const arrived = new Promise((resolve) => {
      raw.onText = resolve;
    });
    const lost = csms.call(identity, "ClearCache", {}, 300);
    await arrived;
    raw.socket.pause();
    const station = await RawStation.connect(csms, identity, [subprotocol]);
    station.answerCall = () => ({ status: "Accepted" });
    expect(await lost).toMatchObject({ what: "station-offline", body: { wasAsked: true } });
    expect(await csms.call(identity, "ClearCache")).toMatchObject({ status: 200, body: { status: "Accepted" } });
    const gone = eventually("the end of the first", async () =>
      (await csms.events(identity, "station.disconnected")).length > 0 ? true : undefined,
    );
    await gone;
    expect(await isConnected(identity)).toBe(true);
    await station.close();
    raw.cut();
  });

  it("is kept for as long as it says anything, though it answers no ping", async () => {
    const identity = `TALKING-${subprotocol}`;
    const station = await RawStation.connect(csms, identity, [subprotocol], { autoPong: false });
    let pings = 0;
    station.socket.on("ping", () => {
      pings += 1;
      station.send(JSON.stringify([2, `ping-${pings}`, "Heartbeat", {}]));
    });
    await eventually("three pings", () => (pings >= 3 ? true : undefined));
    expect(await isConnected(identity)).toBe(true);
    await station.close();
  });
});
