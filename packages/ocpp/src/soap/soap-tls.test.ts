import { afterEach, expect, it } from "vitest";
import { SoapCsms } from "./soap-csms.ts";
import { SoapStation } from "./soap-station.ts";

// Self-signed certificates that exist for this test only, valid until 2126.
const serverKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgMbNwgS/LSPj6hk6W
qU5Z7JQuc1HFjXrOTXy2hjn3JmehRANCAARjllddvF2CvNVi+GJzUfZioeWNngnc
NPIGQymhC/AVTeW5IDkVf/UNtxV3QhhCljI3GaBGj3KapJNEZ+a8W8eR
-----END PRIVATE KEY-----`;
const serverCertificate = `-----BEGIN CERTIFICATE-----
MIIBuDCCAV+gAwIBAgIUBRfLg4cx/Osnq2IiXHd5408fxdwwCgYIKoZIzj0EAwIw
IzENMAsGA1UECgwEVGVzdDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjIy
NDA1MloYDzIxMjYxMDI5MjI0MDUyWjAjMQ0wCwYDVQQKDARUZXN0MRIwEAYDVQQD
DAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARjllddvF2CvNVi
+GJzUfZioeWNngncNPIGQymhC/AVTeW5IDkVf/UNtxV3QhhCljI3GaBGj3KapJNE
Z+a8W8eRo28wbTAdBgNVHQ4EFgQUPOKSxS8ZyAeRCyb9J46DlJDOR70wHwYDVR0j
BBgwFoAUPOKSxS8ZyAeRCyb9J46DlJDOR70wDwYDVR0TAQH/BAUwAwEB/zAaBgNV
HREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZIzj0EAwIDRwAwRAIgKMsVcFCy
fbitizNYiEhsEp6bFTuDjjkd+A4SvrTxkIQCIEUqkOErpqr4ldVFaT99V8EVEOMz
/eB9HdqEtowD3S1E
-----END CERTIFICATE-----`;
const clientKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgPTDaIfLyDI8TSzd1
NLQwjqVLGlqHxo9xbPEdJYFc4NShRANCAASANnvEKcA37sAZxzc0wsh2B7V2geLl
tbgrWKIUr8KmBo+iU0ef3EU8W/NrNVdVmYkWVQywWxdB/vj1gaLrS93r
-----END PRIVATE KEY-----`;
const clientCertificate = `-----BEGIN CERTIFICATE-----
MIIBrDCCAVOgAwIBAgIUaQ/YZXrT/iPzCxjaV3uINvimPX4wCgYIKoZIzj0EAwIw
HTENMAsGA1UECgwEVGVzdDEMMAoGA1UEAwwDQ1AxMCAXDTI2MTEyMjIyNDA1MloY
DzIxMjYxMDI5MjI0MDUyWjAdMQ0wCwYDVQQKDARUZXN0MQwwCgYDVQQDDANDUDEw
WTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASANnvEKcA37sAZxzc0wsh2B7V2geLl
tbgrWKIUr8KmBo+iU0ef3EU8W/NrNVdVmYkWVQywWxdB/vj1gaLrS93ro28wbTAd
BgNVHQ4EFgQUPbDAoxozr8dEg2RblR52lSm9egMwHwYDVR0jBBgwFoAUPbDAoxoz
r8dEg2RblR52lSm9egMwDwYDVR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2Nh
bGhvc3SHBH8AAAEwCgYIKoZIzj0EAwIDRwAwRAIgKghl65KX3vZgxcBHr1JVqUPI
nuzOlauZZ1olBs6jtHkCIGnHP9RT4A5NudJTmXdc0lI8o2qTO2psAIgjyZZTqc5H
-----END CERTIFICATE-----`;

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function openCsms(): Promise<{ csms: SoapCsms; url: string }> {
  const csms = new SoapCsms({
    stationTls: { ca: serverCertificate },
    authenticate: ({ identity, secure, clientCertificate: certificate, clientCertificateVerified }) =>
      secure && clientCertificateVerified && certificate?.subject.split("\n").includes(`CN=${identity}`)
        ? { accept: true }
        : { accept: false, status: 403 },
  });
  csms.handle("1.6", "Heartbeat", () => ({ currentTime: "2026-03-01T12:00:00Z" }));
  const tls = {
    key: serverKey,
    cert: serverCertificate,
    ca: clientCertificate,
    requestCert: true,
    rejectUnauthorized: false,
  };
  const { port } = await csms.listen({ port: 0, tls });
  closers.push(() => csms.close({ graceMs: 50 }));
  return { csms, url: `https://127.0.0.1:${port}/ocpp/soap` };
}

async function openStation(url: string, identity: string, tls: object): Promise<SoapStation<"1.6">> {
  const station = new SoapStation({
    url,
    identity,
    version: "1.6",
    tls,
    listen: { port: 0, tls: { key: serverKey, cert: serverCertificate } },
  });
  station.handle("1.6", "ClearCache", () => ({ status: "Accepted" }));
  await station.start();
  closers.push(() => station.close({ graceMs: 50 }));
  return station;
}

it("OCPP-S 1.6 §6.2: both roles speak HTTPS, and the CSMS checks the station's certificate", async () => {
  const { csms, url } = await openCsms();
  const trusted = { ca: serverCertificate, key: clientKey, cert: clientCertificate };
  const station = await openStation(url, "CP1", trusted);
  expect(station.address).toMatch(/^https:/);
  expect(await station.connection.call("Heartbeat", {})).toEqual({ currentTime: "2026-03-01T12:00:00Z" });
  expect(await csms.connections.get("CP1")?.callUntyped("ClearCache", {})).toEqual({ status: "Accepted" });
  const impostor = await openStation(url, "CP2", trusted);
  await expect(impostor.connection.call("Heartbeat", {})).rejects.toMatchObject({ wireCode: "SecurityError" });
});

it("a station without certificate, or with one that nobody verified, is turned away", async () => {
  const { url } = await openCsms();
  const bare = await openStation(url, "CP1", { ca: serverCertificate });
  await expect(bare.connection.call("Heartbeat", {})).rejects.toMatchObject({ wireCode: "SecurityError" });
  const unknown = await openStation(url, "CP1", { ca: serverCertificate, key: serverKey, cert: serverCertificate });
  await expect(unknown.connection.call("Heartbeat", {})).rejects.toMatchObject({ wireCode: "SecurityError" });
});

it("a station does not talk to a CSMS whose certificate it does not trust", async () => {
  const { url } = await openCsms();
  const station = await openStation(url, "CP1", { key: clientKey, cert: clientCertificate });
  await expect(station.connection.call("Heartbeat", {})).rejects.toMatchObject({
    name: "NotConnectedError",
    sent: false,
  });
});
