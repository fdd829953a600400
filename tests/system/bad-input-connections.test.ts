import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { useHonestCsms } from "./honest-csms.ts";
import { head, onlyTransactionOf, RawStation, tolerated, transactionsOf, type WireFrame } from "./raw-station.ts";
import { eventually, listAll } from "./running-csms.ts";

// Pings come so often that a station that breaks from them breaks at once.
const running = useHonestCsms({ POLYPHASE_PING_INTERVAL: "1" });

const at = (second: number) => new Date(Date.parse("2026-04-01T10:00:00Z") + second * 1_000).toISOString();
const stationOf = async (stationId: string) => (await running.api("GET", `/stations/${stationId}`)).body;

function energySum(items: readonly { readonly energyWh?: unknown }[]): number {
  return items.reduce((sum, { energyWh }) => sum + Number(energyWh ?? Number.NaN), 0);
}

describe("a backlog of thousands of messages at reconnect", () => {
  const sessions = 200;
  const eventsPerSession = 10;

  /** 2 000 events of 200 sessions, of which session n has charged 100 + n Wh. */
  function backlog(): readonly (readonly [id: string, text: string])[] {
    return Array.from({ length: sessions * eventsPerSession }, (_, index) => {
      const session = Math.floor(index / eventsPerSession);
      const seqNo = index % eventsPerSession;
      const isLast = seqNo === eventsPerSession - 1;
      const timestamp = at(session * 1_000 + seqNo * 60);
      const value = 50_000 + session * 1_000 + Math.round(((100 + session) * seqNo) / (eventsPerSession - 1));
      const id = `b${index}`;
      const payload = {
        ...{ eventType: seqNo === 0 ? "Started" : isLast ? "Ended" : "Updated", seqNo, timestamp, offline: true },
        triggerReason: seqNo === 0 ? "Authorized" : isLast ? "StopAuthorized" : "MeterValuePeriodic",
        ...{ transactionInfo: { transactionId: `S-${session}` }, evse: { id: 1, connectorId: 1 } },
        ...(seqNo === 0 ? { idToken: { idToken: "HONEST", type: "ISO14443" } } : {}),
        meterValue: [{ timestamp, sampledValue: [{ value }] }],
      };
      return [id, JSON.stringify([2, id, "TransactionEvent", payload])] as const;
    });
  }

  it("is answered one by one, exactly once in the books, and others are served meanwhile: 2.0.1, all at once", async () => {
    const messages = backlog();
    const first = await RawStation.boot2(running, "BACKLOG-2");
    // The connection is lost in the midst of it.
    for (const [, text] of messages.slice(0, 700)) first.send(text);
    await first.answerTo("b300");
    first.socket.terminate();
    const second = await RawStation.boot2(running, "BACKLOG-2");
    for (const [, text] of messages) second.send(text);
    await running.honest.expectServed();
    for (const [id] of messages) expect((await second.answerTo(id))[0]).toBe(3);
    const items = await listAll(running.csms.httpUrl, "/transactions?stationId=BACKLOG-2");
    expect(items).toHaveLength(sessions);
    for (const { transactionId, energyWh, status } of items) {
      expect([energyWh, status], String(transactionId)).toEqual([
        100 + Number(String(transactionId).slice(2)),
        "Ended",
      ]);
    }
    expect((await running.api("GET", `/transactions/${items[0]?.id}`)).body).toMatchObject({ missingSeqNos: [] });
    await second.close();
  });

  it("is answered one by one, exactly once in the books: 1.6, each after the answer before", async () => {
    const station = await RawStation.boot16(running, "BACKLOG-1");
    for (let session = 0; session < sessions; session++) {
      const begin = session * 1_000;
      const meterStart = session * 500;
      const start = { connectorId: 1, idTag: "HONEST", meterStart, timestamp: at(begin) };
      const { transactionId } = await station.call("StartTransaction", start);
      if (session % 7 === 0) expect(await station.call("StartTransaction", start)).toMatchObject({ transactionId });
      const meterValue = [{ timestamp: at(begin + 60), sampledValue: [{ value: String(meterStart + 100) }] }];
      await station.call("MeterValues", { connectorId: 1, transactionId, meterValue });
      await station.call("MeterValues", { connectorId: 1, transactionId, meterValue });
      await station.call("StopTransaction", { transactionId, meterStop: meterStart + 450, timestamp: at(begin + 120) });
    }
    const items = await listAll(running.csms.httpUrl, "/transactions?stationId=BACKLOG-1");
    expect(items).toHaveLength(sessions);
    expect(energySum(items)).toBe(sessions * 450);
    await station.close();
  });
});

describe("two sockets of one station", () => {
  it("leave the newest; the old one is closed with 1008, and what it still says is not heard", async () => {
    const old = await RawStation.boot16(running, "DOUBLE");
    const { transactionId } = await old.call("StartTransaction", {
      ...{ connectorId: 1, idTag: "HONEST", meterStart: 1_000, timestamp: at(0) },
    });
    const newest = await RawStation.connect(running, "DOUBLE");
    // Before it has noticed its end, the old one sends something.
    old.send(
      `[2,"late","StopTransaction",{"transactionId":${transactionId},"meterStop":9999999,"timestamp":"${at(60)}"}]`,
    );
    expect(await old.ended).toMatchObject({ code: 1008 });
    newest.answerCall = () => ({ status: "Accepted" });
    const calls = `/stations/DOUBLE/calls`;
    expect(await running.api("POST", calls, { action: "ClearCache", payload: {} })).toMatchObject({ status: 200 });
    expect(newest.calls.map(([, , action]) => action)).toContain("ClearCache");
    await newest.call("StopTransaction", { transactionId, meterStop: 1_400, timestamp: at(120) });
    expect(await onlyTransactionOf(running, "DOUBLE")).toMatchObject({ energyWh: 400, status: "Ended" });
    expect(await stationOf("DOUBLE")).toMatchObject({ connected: true });
    await newest.close();
  });

  it("that take turns for ever leave the station connected once, and others served", async () => {
    const all: RawStation[] = [];
    for (let turn = 0; turn < 50; turn++) all.push(await RawStation.connect(running, "FLAPPING"));
    const last = all.at(-1);
    await Promise.all(all.slice(0, -1).map(async (station) => expect((await station.ended).code).toBe(1008)));
    expect(await last?.answersTo()).toEqual([]);
    expect((await running.api("GET", "/stations?search=FLAPPING")).body.items).toMatchObject([{ connected: true }]);
    await last?.close();
    await eventually("the end", async () => ((await stationOf("FLAPPING")).connected === false ? true : undefined));
  });
});

/** A connection by hand, of a station that reads nothing, answers no ping and never closes. */
async function openDeaf(identity: string): Promise<Socket> {
  const socket = connect(running.csms.ocppPort, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(
    `GET /ocpp/${identity} HTTP/1.1\r\nHost: csms\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n` +
      "Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n",
  );
  await new Promise((resolve) => socket.once("data", resolve));
  return socket;
}

describe("an old socket that never closes", () => {
  it("makes way for the new one at once, and is cut off", async () => {
    const deaf = await openDeaf("DEAF");
    const cutOff = new Promise((resolve) => deaf.once("close", resolve));
    const station = await RawStation.boot16(running, "DEAF");
    expect(await stationOf("DEAF")).toMatchObject({ connected: true });
    // It takes the close frame for noise; the CSMS ends the TCP connection by itself.
    await cutOff;
    expect(await station.answersTo()).toEqual([]);
    await station.close();
  });

  it("is noticed by its silence where no new one comes", async () => {
    const deaf = await openDeaf("MUTE");
    expect(await stationOf("MUTE")).toMatchObject({ connected: true });
    await eventually("the end", async () => ((await stationOf("MUTE")).connected === false ? true : undefined));
    deaf.destroy();
  });
});

describe("a station that breaks when it is pinged", () => {
  /** Connects, and hangs up at the first ping. */
  async function brittle(identity: string): Promise<RawStation> {
    const station = await RawStation.connect(running, identity, ["ocpp1.6"], { autoPong: false });
    station.socket.on("ping", () => station.socket.terminate());
    return station;
  }

  it("stays connected where the rule no-ping is on", async () => {
    await running.api("PUT", "/stations/BRITTLE-1", {});
    await running.api("PUT", "/stations/BRITTLE-1/tolerances/no-ping", { enabled: true });
    const protectedOne = await brittle("BRITTLE-1");
    const other = await brittle("BRITTLE-2");
    await other.ended;
    // A third that came later has been pinged as well, so that the first had every occasion.
    await (await brittle("BRITTLE-3")).ended;
    await (await brittle("BRITTLE-4")).ended;
    expect(protectedOne.socket.readyState).toBe(WebSocket.OPEN);
    expect(await protectedOne.answersTo()).toEqual([]);
    await protectedOne.close();
  });
});

describe("a station that drops when StartTransaction is answered too fast", () => {
  it("has its answer after a second where delayed-start-answer is on, and all other answers at once", async () => {
    await running.api("PUT", "/stations/HASTY", {});
    const path = "/stations/HASTY/tolerances/delayed-start-answer";
    expect(await running.api("PUT", path, { enabled: true })).toMatchObject({ status: 204 });
    const station = await RawStation.boot16(running, "HASTY");
    const begin = performance.now();
    const start = { connectorId: 1, idTag: "HONEST", meterStart: 1_000, timestamp: at(0) };
    const answered = station.ask("StartTransaction", start).then((frame) => [frame, performance.now()] as const);
    expect(await station.answersTo()).toEqual([]);
    const [frame, end] = await answered;
    // Timers may be early by a part of a millisecond.
    expect(end - begin).toBeGreaterThan(995);
    expect(head(frame)).toEqual([
      3,
      expect.any(String),
      expect.objectContaining({ idTagInfo: { status: "Accepted" } }),
    ]);
    expect(await tolerated(running, "delayed-start-answer")).toBe(1);
    // It hangs up before the answer: the transaction is there, and the repeat gets the same id.
    const { transactionId } = frame[2] as { transactionId: number };
    const again = { ...start, connectorId: 2, meterStart: 7_000 };
    station.send(JSON.stringify([2, "lost", "StartTransaction", again]));
    await eventually("the second", async () => {
      return (await transactionsOf(running, "HASTY")).length === 2 ? true : undefined;
    });
    station.socket.terminate();
    const back = await RawStation.boot16(running, "HASTY");
    const repeated = await back.call("StartTransaction", again);
    expect(repeated.transactionId).not.toBe(transactionId);
    expect(await transactionsOf(running, "HASTY")).toHaveLength(2);
    await back.close();
  });
});

describe("a station that drops when triggers come often", () => {
  it("fails the triggers it dropped at, and none after it has come back", async () => {
    const trigger = () =>
      running.api("POST", "/stations/NERVOUS/commands/triggerMessage", { requestedMessage: "Heartbeat" });
    const nervous = await RawStation.boot16(running, "NERVOUS");
    let count = 0;
    nervous.answerCall = (action) => {
      if (action !== "TriggerMessage") return { status: "NotSupported" };
      count += 1;
      if (count === 2) nervous.socket.terminate();
      return { status: "Accepted" };
    };
    const answers = await Promise.all([trigger(), trigger(), trigger()]);
    // Whichever of them came to the station first.
    const [first, ...others] = answers.toSorted((a, b) => a.status - b.status);
    expect(first).toMatchObject({ status: 200, body: { status: "Accepted" } });
    for (const { body } of others) expect(body.type).toMatch(/offline/);
    const back = await RawStation.boot16(running, "NERVOUS");
    back.answerCall = () => ({ status: "Accepted" });
    expect(await trigger()).toMatchObject({ status: 200 });
    await back.close();
  });
});

describe("all stations at once after an outage", () => {
  it("connect, boot and go on with their sessions: 300 of them in one moment", async () => {
    const identities = Array.from({ length: 300 }, (_, index) => `STORM-${index}`);
    const arrive = async (identity: string, index: number): Promise<void> => {
      const isModern = index % 2 === 1;
      const station = await RawStation.connect(running, identity, [isModern ? "ocpp2.0.1" : "ocpp1.6"]);
      const boot = isModern
        ? { reason: "PowerUp", chargingStation: { vendorName: "Raw", model: "R" } }
        : { chargePointVendor: "Raw", chargePointModel: "R" };
      let answer: WireFrame;
      // Who is put off comes again, as it was told; here without the wait.
      do answer = await station.ask("BootNotification", boot);
      while ((answer[2] as { readonly status?: unknown }).status === "Pending");
      expect(answer[2]).toMatchObject({ status: "Accepted" });
      if (isModern) await charge2(station);
      else await charge16(station);
      await station.close();
    };
    // Twice: all are new the first time, and all are known the second.
    await Promise.all(identities.map(arrive));
    await Promise.all(identities.map(arrive));
    const items = await listAll(running.csms.httpUrl, "/transactions?from=2026-05-01T00:00:00Z");
    const own = items.filter(({ stationId }) => String(stationId).startsWith("STORM-"));
    expect(own).toHaveLength(300);
    expect(energySum(own)).toBe(300 * 250);
  });

  const timestamp = (minute: number) => `2026-05-01T10:${minute}:00Z`;

  async function charge16(station: RawStation): Promise<void> {
    const { transactionId } = await station.call("StartTransaction", {
      ...{ connectorId: 1, idTag: "HONEST", meterStart: 1_000, timestamp: timestamp(10) },
    });
    await station.call("StopTransaction", { transactionId, meterStop: 1_250, timestamp: timestamp(20) });
  }

  async function charge2(station: RawStation): Promise<void> {
    for (const [seqNo, eventType] of ["Started", "Ended"].entries()) {
      await station.call("TransactionEvent", {
        ...{ eventType, seqNo, triggerReason: "Authorized", timestamp: timestamp(10 + seqNo * 10) },
        ...{ transactionInfo: { transactionId: "STORM" }, evse: { id: 1, connectorId: 1 } },
        meterValue: [{ timestamp: timestamp(10 + seqNo * 10), sampledValue: [{ value: 1_000 + seqNo * 250 }] }],
      });
    }
  }
});
