import { readFileSync } from "node:fs";
import { type Handshake, JsonCsms, JsonStation, type JsonStationOptions } from "@polyphase/ocpp";
import { afterEach, expect, test } from "vitest";

const currentTime = "2026-01-01T00:00:00Z";
const pem = (name: string) => readFileSync(new URL(`./certificates/${name}`, import.meta.url));
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A CSMS on TLS that asks for client certificates and takes whoever authenticates by one means or the other. */
async function secureCsms() {
  const handshakes: Handshake[] = [];
  const csms = new JsonCsms({
    authenticate: (handshake) => {
      handshakes.push(handshake);
      const { identity, authorization, clientCertificate, clientCertificateVerified } = handshake;
      const byCertificate = clientCertificateVerified && clientCertificate?.subject.includes(`CN=${identity}`) === true;
      const byPassword = authorization?.username.toString() === identity && authorization.password.equals(password);
      return byCertificate || byPassword ? { accept: true } : { accept: false, status: 401 };
    },
  });
  csms.handle("2.0.1", "Heartbeat", () => ({ currentTime }));
  const tls = {
    key: pem("csms.key"),
    cert: pem("csms.crt"),
    ca: pem("authority.crt"),
    requestCert: true,
    rejectUnauthorized: false,
  };
  const { port } = await csms.listen({ port: 0, host: "127.0.0.1", tls });
  cleanups.push(() => csms.close({ graceMs: 0 }));
  return { handshakes, url: `wss://localhost:${port}/ocpp` };
}

// Not UTF-8, with a colon and a NUL: what an AuthorizationKey of 1.6 may hold.
const password = Buffer.from("003a3aff00fe8081c0c1f5ff3a0a0d200000003a", "hex");

function stationOf(url: string, options: Partial<JsonStationOptions>) {
  const station = new JsonStation({ url, identity: "CS1", versions: ["2.0.1"], ...options });
  cleanups.push(() => station.close({ graceMs: 0 }));
  return station;
}

/** The error of the first attempt. */
function firstFailure(url: string, options: Partial<JsonStationOptions>): Promise<Error> {
  return new Promise((resolve) => {
    stationOf(url, { ...options, onConnectFailed: resolve })
      .connect()
      .catch(() => {});
  });
}

test("profile 2: TLS and Basic, the password as bytes", async () => {
  const { url, handshakes } = await secureCsms();
  const connection = await stationOf(url, { password, tls: { ca: pem("authority.crt") } }).connect();
  expect(await connection.callUntyped("Heartbeat", {})).toEqual({ currentTime });
  expect(handshakes[0]).toMatchObject({ secure: true, clientCertificateVerified: false });
  expect(handshakes[0]?.clientCertificate).toBeUndefined();
});

test("profile 3: mutual TLS, the certificate handed to the hook", async () => {
  const { url, handshakes } = await secureCsms();
  const tls = { ca: pem("authority.crt"), key: pem("station.key"), cert: pem("station.crt") };
  const connection = await stationOf(url, { tls }).connect();
  expect(await connection.callUntyped("Heartbeat", {})).toEqual({ currentTime });
  expect(handshakes[0]).toMatchObject({ secure: true, clientCertificateVerified: true });
  expect(handshakes[0]?.clientCertificate?.subject).toContain("O=Operator");
  expect(handshakes[0]?.authorization).toBeUndefined();
});

test("a certificate of another station gets no further than its own name", async () => {
  const { url } = await secureCsms();
  const tls = { ca: pem("authority.crt"), key: pem("station.key"), cert: pem("station.crt") };
  expect(await firstFailure(url, { identity: "CS2", tls })).toMatchObject({ status: 401 });
});

test("a certificate that no authority vouches for is not verified", async () => {
  const { url, handshakes } = await secureCsms();
  // The CSMS's own certificate may serve, not ask: it lacks the client purpose.
  const tls = { ca: pem("authority.crt"), key: pem("csms.key"), cert: pem("csms.crt") };
  expect(await firstFailure(url, { identity: "localhost", tls })).toMatchObject({ status: 401 });
  expect(handshakes[0]?.clientCertificate).toBeDefined();
  expect(handshakes[0]?.clientCertificateVerified).toBe(false);
});

test("a wrong password is refused with 401", async () => {
  const { url } = await secureCsms();
  const wrong = Buffer.from(password);
  wrong[19] = 0x3b;
  expect(await firstFailure(url, { password: wrong, tls: { ca: pem("authority.crt") } })).toMatchObject({
    status: 401,
  });
});

test("a station does not connect to a CSMS that it cannot verify", async () => {
  const { url, handshakes } = await secureCsms();
  expect(await firstFailure(url, { password })).toMatchObject({ status: undefined });
  expect(handshakes).toEqual([]);
});
