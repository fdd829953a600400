import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { HonestStation } from "../system/raw-station.ts";
import { eventually } from "../system/running-csms.ts";
import { bothFamilies } from "./charging-messages.ts";
import { frameBytes, opcodes, RawWebSocket } from "./raw-websocket.ts";
import { runWatchedCsms, type WatchedCsms } from "./watched-csms.ts";

let csms: WatchedCsms;
let honest: HonestStation;

beforeAll(async () => {
  // No pings: what is cut here is cut for what waits, and not for its silence.
  csms = await runWatchedCsms({ POLYPHASE_PING_INTERVAL: "0" });
  honest = await HonestStation.connect(csms);
});

afterEach(async () => {
  await honest.expectServed();
  await csms.untilLoad({ stations: 1, sockets: 1 });
});
afterAll(() => csms.close());

/** A station that never reads. */
async function deaf(identity: string, subprotocol: string): Promise<RawWebSocket> {
  const raw = await RawWebSocket.connect(csms.csms.ocppPort, `/ocpp/${identity}`, { subprotocol });
  raw.socket.pause();
  return raw;
}

const MiB = 2 ** 20;

describe.each(bothFamilies)("a station of %s that never reads", (subprotocol) => {
  it("is cut when the calls for it pile up, which fail as offline", async () => {
    const identity = `CALLED-${subprotocol}`;
    const raw = await deaf(identity, subprotocol);
    const payload = { vendorId: "v", data: "x".repeat(900_000) };
    const outcomes = new Set<string>();
    await eventually("the end of the connection", async () => {
      const { what } = await csms.call(identity, "DataTransfer", payload, 0.02);
      outcomes.add(what);
      return what === "station-offline" ? true : undefined;
    });
    expect([...outcomes]).toEqual(["station-timeout", "station-offline"]);
    const ended = await eventually("the event", async () => (await csms.events(identity, "station.disconnected"))[0]);
    expect(ended).toMatchObject({ data: { reason: "does not read" } });
    raw.cut();
  });

  it("and pings without end is cut when its pongs pile up", async () => {
    const raw = await deaf(`PINGING-${subprotocol}`, subprotocol);
    const pings = Buffer.concat(
      Array.from({ length: 10_000 }, () => frameBytes("x".repeat(120), { opcode: opcodes.ping })),
    );
    await eventually("the end of the connection", () => {
      if (raw.socket.writableLength < MiB) raw.write(pings);
      return raw.socket.destroyed || raw.socket.errored !== null ? true : undefined;
    });
    raw.cut();
  });
});
