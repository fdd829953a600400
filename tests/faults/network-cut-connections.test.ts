import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { onlyTransactionOf, RawStation, transactionsOf } from "../system/raw-station.ts";
import { bothFamilies, chargingMessages, type Subprotocol, sessionWh } from "./charging-messages.ts";
import { frameBytes, opcodes, RawWebSocket } from "./raw-websocket.ts";
import { openTcp, runWatchedCsms, type WatchedCsms } from "./watched-csms.ts";

let csms: WatchedCsms;
let count = 0;

beforeAll(async () => {
  csms = await runWatchedCsms({ POLYPHASE_PING_INTERVAL: "0" });
  await csms.api("PUT", "/id-tokens/NETWORK", { type: "ISO14443", status: "Accepted" });
});

// Whatever was cut: nothing of it is left.
afterEach(() => csms.untilLoad({}));
afterAll(() => csms.close());

const newId = (name: string) => `${name}-${++count}`;

const cuts = {
  "an end (FIN)": (socket: Socket) => void socket.end(),
  "a reset (RST)": (socket: Socket) => void socket.resetAndDestroy(),
} as const;

function handshake(identity: string, subprotocol: string): Buffer {
  return Buffer.from(
    `GET /ocpp/${identity} HTTP/1.1\r\nHost: csms\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n` +
      `Sec-WebSocket-Protocol: ${subprotocol}\r\n\r\n`,
  );
}

/** A station that has booted. */
async function booted(identity: string, subprotocol: Subprotocol): Promise<RawStation> {
  const station = await RawStation.connect(csms, identity, [subprotocol]);
  expect(await station.call(...chargingMessages(subprotocol, "").boot)).toMatchObject({ status: "Accepted" });
  return station;
}

const callText = (messageId: string, [action, payload]: readonly [string, unknown]) =>
  JSON.stringify([2, messageId, action, payload]);

async function eventsOf(identity: string): Promise<number> {
  const { id } = await onlyTransactionOf(csms, identity);
  return (await csms.api("GET", `/transactions/${id}/events`)).body.items?.length ?? 0;
}

/** The session went through once: one transaction with its energy and with three events. */
async function expectBooked(identity: string): Promise<void> {
  expect(await onlyTransactionOf(csms, identity)).toMatchObject({ status: "Ended", energyWh: sessionWh });
  expect(await eventsOf(identity)).toBe(3);
}

describe.each(bothFamilies)("a connection of %s that is cut in the handshake", (subprotocol) => {
  it.each(Object.entries(cuts))("by %s after any byte of the request leaves nothing behind", async (_name, cut) => {
    const identity = newId("HANDSHAKE");
    const bytes = handshake(identity, subprotocol);
    for (let sent = 0; sent <= bytes.length; sent++) {
      const socket = await openTcp(csms);
      socket.resume();
      if (sent > 0) await new Promise((written) => socket.write(bytes.subarray(0, sent), written));
      cut(socket);
    }
    await csms.untilLoad({});
    const station = await booted(identity, subprotocol);
    expect((await csms.api("GET", `/stations/${identity}`)).body).toMatchObject({ connected: true });
    await station.close();
  });
});

describe.each(bothFamilies)("a connection of %s that is cut in a message", (subprotocol) => {
  it("has not sent it: nothing is stored, and the repeat is taken once", async () => {
    const identity = newId("HALF");
    const messages = chargingMessages(subprotocol, "T");
    await (await booted(identity, subprotocol)).close();
    const frame = frameBytes(callText("half", messages.start));
    // In the two bytes of the head, in the length, in the mask, in the payload, and before its last byte.
    for (const sent of [1, 2, 3, 4, 6, 8, 9, 40, frame.length - 2, frame.length - 1]) {
      for (const cut of Object.values(cuts)) {
        const raw = await RawWebSocket.connect(csms.csms.ocppPort, `/ocpp/${identity}`, { subprotocol });
        await new Promise((written) => raw.socket.write(frame.subarray(0, sent), written));
        cut(raw.socket);
        await raw.ended;
      }
    }
    await csms.untilLoad({});
    expect(await transactionsOf(csms, identity)).toEqual([]);
    const station = await booted(identity, subprotocol);
    const answer = (await station.ask(...messages.start, "half"))[2];
    for (const message of [messages.middle(answer), messages.stop(answer)]) await station.call(...message);
    await expectBooked(identity);
    await station.close();
  });

  it.each([
    ["the same message id", true],
    ["a new message id", false],
  ])("and before every answer has each message once in the books, repeated with %s", async (_name, isSameId) => {
    const identity = newId("UNANSWERED");
    const messages = chargingMessages(subprotocol, "T");
    let answer: unknown;
    for (const message of [() => messages.start, () => messages.middle(answer), () => messages.stop(answer)]) {
      const cut = newId("m");
      for (const end of [(lost: RawStation) => lost.socket.terminate(), (lost: RawStation) => lost.socket.close()]) {
        const station = await booted(identity, subprotocol);
        station.send(callText(cut, message()));
        end(station);
        await station.ended;
      }
      const station = await booted(identity, subprotocol);
      const frame = await station.ask(...message(), isSameId ? cut : newId("m"));
      expect(frame[0]).toBe(3);
      answer ??= frame[2];
      await station.close();
    }
    await expectBooked(identity);
  });
});

describe.each(bothFamilies)("a connection of %s that is cut while the database commits", (subprotocol) => {
  it("has what it sent stored once, however often and with whatever id it is repeated meanwhile", async () => {
    const identity = newId("COMMIT");
    const messages = chargingMessages(subprotocol, "T");
    let answer: unknown;
    for (const message of [() => messages.start, () => messages.middle(answer), () => messages.stop(answer)]) {
      // Booted before, for a boot is stored as well.
      const first = await booted(identity, subprotocol);
      const held = await csms.holdCommits();
      const sent = newId("m");
      first.send(callText(sent, message()));
      await csms.untilLoad({ stations: 1, sockets: 1, requests: 1 });
      first.socket.terminate();
      await csms.untilLoad({ requests: 1 });
      const second = await RawStation.connect(csms, identity, [subprotocol]);
      const texts = [sent, newId("m"), newId("m")].map((id) => [id, callText(id, message())] as const);
      for (const [, text] of texts) second.send(text);
      await csms.untilLoad({ stations: 1, sockets: 1, requests: 4 });
      await held.release();
      const answers = await Promise.all(texts.map(([id]) => second.answerTo(id)));
      expect(answers.map(([type]) => type)).toEqual([3, 3, 3]);
      expect(new Set(answers.map(([, , payload]) => JSON.stringify(payload))).size).toBe(1);
      answer ??= answers[0]?.[2];
      await second.close();
    }
    await expectBooked(identity);
  });
});

describe.each(bothFamilies)("a connection of %s that is cut in a call of ours", (subprotocol) => {
  it.each([
    ["when it has come", 40],
    ["in the midst of it", 400_000],
  ])("%s fails the call as offline and as asked, at once, and those that wait as not asked", async (_name, size) => {
    const identity = newId("CALLED");
    const raw = await RawWebSocket.connect(csms.csms.ocppPort, `/ocpp/${identity}`, { subprotocol });
    const arrived = new Promise<void>((resolve) => {
      raw.socket.once("data", () => resolve());
    });
    const payload = { vendorId: "network", data: "x".repeat(size) };
    const outcomes = Promise.all([1, 2, 3].map(() => csms.call(identity, "DataTransfer", payload)));
    await arrived;
    raw.socket.pause();
    await csms.untilLoad({ stations: 1, sockets: 1, calls: 3 });
    raw.cut();
    const all = await outcomes;
    expect(all.map(({ status, what }) => [status, what])).toEqual(Array(3).fill([503, "station-offline"]));
    expect(all.map(({ body }) => body.wasAsked).toSorted()).toEqual([false, false, true]);
    expect(await csms.call(identity, "ClearCache")).toMatchObject({ status: 503, what: "station-offline" });
  });
});

describe("a closing handshake", () => {
  const path = (identity: string) => `/ocpp/${identity}`;

  async function beginAndStay(subprotocol: Subprotocol): Promise<Socket> {
    const socket = await openTcp(csms);
    socket.write(handshake(newId("CLOSING"), subprotocol));
    await new Promise((resolve) => socket.once("data", resolve));
    socket.write(frameBytes(Buffer.from([0x03, 0xe8]), { opcode: opcodes.close }));
    return socket.resume();
  }

  async function neverAnswer(subprotocol: Subprotocol): Promise<Socket> {
    const identity = newId("CLOSED");
    const raw = await RawWebSocket.connect(csms.csms.ocppPort, path(identity), { subprotocol });
    const arrived = new Promise((resolve) => {
      raw.onText = resolve;
    });
    const call = csms.call(identity, "ClearCache");
    await arrived;
    raw.socket.pause();
    expect((await csms.api("POST", `/stations/${identity}/disconnect`)).status).toBe(204);
    expect(await call).toMatchObject({ status: 503, what: "station-offline", body: { wasAsked: true } });
    const next = await csms.call(identity, "ClearCache");
    expect(next).toMatchObject({ status: 503, what: "station-offline", body: { wasAsked: false } });
    return raw.socket;
  }

  it("that the station begins and does not end, or that it leaves unanswered, is ended by the CSMS", async () => {
    // Their own halves of the TCP connections stay open.
    const sockets = await Promise.all([
      ...bothFamilies.map((subprotocol) => beginAndStay(subprotocol)),
      ...bothFamilies.map((subprotocol) => neverAnswer(subprotocol)),
    ]);
    await csms.untilLoad({});
    for (const socket of sockets) socket.destroy();
  });

  it.each(bothFamilies)(
    "that a station of %s breaks off, with or without a reset, is over at once",
    async (subprotocol) => {
      for (const cut of Object.values(cuts)) {
        const raw = await RawWebSocket.connect(csms.csms.ocppPort, path(newId("CLOSING")), { subprotocol });
        raw.frame(Buffer.from([0x03, 0xe8]), { opcode: opcodes.close });
        cut(raw.socket);
        await csms.untilLoad({}, 4_000);
      }
    },
  );
});
