import { connect, type Socket } from "node:net";
import { startTestDatabase, type TestDatabase } from "@polyphase/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CsmsProcess } from "../system/csms-process.ts";
import { callApi, eventually } from "../system/running-csms.ts";
import { RawWebSocket } from "./raw-websocket.ts";

describe("a CSMS that runs out of file descriptors", () => {
  let database: TestDatabase;
  let csms: CsmsProcess;
  const idle: Socket[] = [];

  beforeAll(async () => {
    database = await startTestDatabase();
    csms = await CsmsProcess.create({ DATABASE_URL: database.url }, { openFiles: 600 });
    await csms.start();
  });

  afterAll(async () => {
    for (const socket of idle) socket.destroy();
    await csms.end("SIGTERM");
    await database.drop();
  });

  /** Connections that nobody speaks on, to one of the ports; some of them are not accepted. */
  function exhaust(port: number): void {
    for (let number = 0; number < 900; number++) {
      const socket = connect({ port, host: "127.0.0.1" });
      idle.push(socket);
      socket.on("error", () => {});
    }
  }

  function heartbeat(raw: RawWebSocket, id: string): Promise<string> {
    return new Promise((resolve) => {
      raw.onText = resolve;
      raw.frame(`[2,"${id}","Heartbeat",{}]`);
    });
  }

  const station = (identity: string) =>
    RawWebSocket.connect(csms.ocppPort, `/ocpp/${identity}`, { subprotocol: "ocpp1.6" });

  it.each([
    ["of stations", () => csms.ocppPort],
    ["of the API", () => Number(new URL(csms.httpUrl).port)],
  ])("by connections to the port %s serves who is there, and everybody when they are gone", async (name, port) => {
    const before = await station(`BEFORE-${name.length}`);
    const boot = { chargePointVendor: "Raw", chargePointModel: "R" };
    before.frame(JSON.stringify([2, "boot", "BootNotification", boot]));
    exhaust(port());
    // Nobody else comes in any more.
    await eventually("a connection that is turned away or left to wait", async () => {
      const late = connect({ port: port(), host: "127.0.0.1" }).on("error", () => {});
      idle.push(late);
      return idle.some((socket) => socket.destroyed) ? true : undefined;
    });
    for (let round = 0; round < 20; round++) {
      expect(await heartbeat(before, `starved-${round}`)).toContain(`[3,"starved-${round}"`);
    }
    for (const socket of idle.splice(0)) socket.destroy();
    const after = await eventually("a station that comes later", () =>
      station(`AFTER-${name.length}`).catch(() => undefined),
    );
    expect(await heartbeat(after, "served")).toContain('[3,"served"');
    const { body } = await eventually("the API", () =>
      callApi(csms.httpUrl, "GET", "/stations?connected=true").catch(() => undefined),
    );
    expect(body.items?.length).toBeGreaterThanOrEqual(2);
    await before.close();
    await after.close();
  });
});
