import { connect } from "node:tls";
import { JsonStation, SoapStation, type StationConnection } from "@polyphase/ocpp";
import type { Kysely } from "kysely";
import { pino } from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Metrics } from "../api/metrics.ts";
import { systemClock } from "../clock.ts";
import {
  foreignCertificate,
  serverCertificate,
  stationCertificate,
  strangerCertificate,
  type TestCertificate,
} from "./certificate-fixture.ts";
import { MemoryCredentials, MemoryStations, RecordedWrites } from "./fixture.ts";
import { createGateway, type Gateway } from "./gateway.ts";
import { DeviationWatch } from "./tolerance/deviation-watch.ts";

const open: Array<{ close(): unknown }> = [];
let stations: MemoryStations;
let credentials: MemoryCredentials;
let gateway: Gateway;
let tlsPort: number;

beforeEach(async () => {
  stations = new MemoryStations();
  credentials = new MemoryCredentials();
  const parts = {
    stations,
    groupCommit: new RecordedWrites(),
    clock: systemClock,
    // The message log cannot be written here; that is not what these tests are about.
    database: {} as Kysely<unknown>,
    log: pino({ level: "silent" }),
    metrics: new Metrics(),
  };
  gateway = createGateway({ ...parts, credentials, deviations: new DeviationWatch(parts), operatorName: "Operator" });
  const ports = await gateway.listen({
    host: "127.0.0.1",
    port: 0,
    tls: {
      port: 0,
      certificates: [serverCertificate],
      clientAuthorities: [stationCertificate.certificate, foreignCertificate.certificate],
    },
  });
  tlsPort = ports.tlsPort ?? 0;
});

afterEach(async () => {
  for (const endpoint of open.splice(0)) await endpoint.close();
  await gateway.close({ graceMs: 100 });
});

/** The outcome of a first attempt: `connected`, or the status that refused it. */
function attempt(proof: { password?: string; client?: TestCertificate }): Promise<unknown> {
  const { password, client } = proof;
  return new Promise((resolve, reject) => {
    const station = new JsonStation({
      url: `wss://127.0.0.1:${tlsPort}/ocpp`,
      identity: "CP1",
      versions: ["2.1"],
      tls: {
        ca: serverCertificate.certificate,
        ...(client === undefined ? {} : { cert: client.certificate, key: client.privateKey }),
      },
      backOff: { waitMinimumMs: 3_600_000, randomRangeMs: 0, repeatTimes: 0 },
      ...(password === undefined ? {} : { password }),
      onConnect: () => resolve("connected"),
      onConnectFailed: ({ status, message }) => resolve(status ?? message),
    });
    open.push(station);
    station.connect().catch(reject);
  });
}

it("A00.FR.301: profile 2 takes Basic credentials over TLS", async () => {
  stations.put("CP1", { securityProfile: 2 });
  credentials.passwords.set("CP1", Buffer.from("correct horse battery"));
  expect(await attempt({ password: "wrong" })).toBe(401);
  expect(await attempt({ password: "correct horse battery" })).toBe("connected");
});

it("A00.FR.401 to 405: profile 3 takes the operator's certificate for this station, and no other", async () => {
  stations.put("CP1", { securityProfile: 3, serialNumber: "SN-1" });
  credentials.passwords.set("CP1", Buffer.from("correct horse battery"));
  expect(await attempt({ password: "correct horse battery" })).toBe(401);
  expect(await attempt({ client: foreignCertificate })).toBe(401);
  expect(await attempt({ client: strangerCertificate })).toBe(401);
  expect(await attempt({ client: stationCertificate })).toBe("connected");
});

it("A05.FR.07: a station that showed a higher profile may not show a lower one again", async () => {
  stations.put("CP1", { securityProfile: 2, serialNumber: "SN-1" });
  credentials.passwords.set("CP1", Buffer.from("correct horse battery"));
  expect(await attempt({ client: stationCertificate })).toBe("connected");
  expect(stations.find("CP1")?.securityProfile).toBe(3);
  expect(await attempt({ password: "correct horse battery" })).toBe(401);
});

it("B01.FR.12: closes the connection when the serial number is not the certificate's", async () => {
  stations.put("CP1", { securityProfile: 3, serialNumber: "SN-1" });
  gateway.routes.on2("BootNotification", () => ({
    status: "Accepted",
    currentTime: "2024-05-01T00:00:00Z",
    interval: 60,
  }));
  expect(await attempt({ client: stationCertificate })).toBe("connected");
  const station = open.at(-1) as JsonStation;
  const boot = (serialNumber: string) =>
    station.connection?.callUntyped("BootNotification", {
      reason: "PowerUp",
      chargingStation: { vendorName: "ACME", model: "One", serialNumber },
    });
  expect(await boot("SN-1")).toMatchObject({ status: "Accepted" });
  const closed = new Promise((resolve) => station.connection?.closed.addEventListener("abort", resolve));
  await expect(boot("SN-2")).rejects.toMatchObject({ code: "SecurityError" });
  await closed;
});

it("serves OCPP-S on the TLS port too, with the same proof", async () => {
  stations.put("CP1", { securityProfile: 3, serialNumber: "SN-1" });
  gateway.routes.on1("Heartbeat", () => ({ currentTime: "2024-05-01T00:00:00Z" }));
  const heartbeat = async (client: TestCertificate) => {
    const soap = new SoapStation({
      url: `https://127.0.0.1:${tlsPort}/ocpp/soap`,
      identity: "CP1",
      version: "1.6",
      tls: { ca: serverCertificate.certificate, cert: client.certificate, key: client.privateKey },
    });
    open.push(soap);
    await soap.start();
    return await (soap.connection as unknown as StationConnection).callUntyped("Heartbeat", {});
  };
  await expect(heartbeat(strangerCertificate)).rejects.toMatchObject({ wireCode: "SecurityError" });
  expect(await heartbeat(stationCertificate)).toEqual({ currentTime: "2024-05-01T00:00:00Z" });
});

it("A00.FR.313: refuses TLS below 1.2, and goes on", async () => {
  const refused = await new Promise((resolve) => {
    const socket = connect({
      host: "127.0.0.1",
      port: tlsPort,
      rejectUnauthorized: false,
      minVersion: "TLSv1",
      maxVersion: "TLSv1.1",
      ciphers: "DEFAULT:@SECLEVEL=0",
    });
    socket.on("error", resolve);
    socket.on("secureConnect", () => resolve(undefined));
  });
  expect(refused).toBeInstanceOf(Error);
  stations.put("CP1", { securityProfile: 0 });
  expect(await attempt({})).toBe("connected");
});
