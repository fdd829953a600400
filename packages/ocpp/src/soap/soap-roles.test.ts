import { describe, expect, it } from "vitest";
import { OcppError, PeerError, ValidationError } from "../errors.ts";
import { now, openCsms, openStation, peerOf } from "./soap-fixture.ts";
import { type SoapVersion, soapVersions } from "./soap-version.ts";

describe.each(soapVersions)("both roles in OCPP %s over SOAP", (version) => {
  it("call each other, the CSMS at the address of the station's From", async () => {
    const { csms, url } = await openCsms();
    csms.handle(version, "Authorize", ({ idTag }) => ({
      idTagInfo: { status: "Accepted", parentIdTag: `of ${idTag}` },
    }));
    const station = await openStation<SoapVersion>({ url, version });
    station.handle(version, "ChangeConfiguration", ({ key }) => ({ status: key === "a<b" ? "Accepted" : "Rejected" }));
    const accepted = await station.connection.callUntyped("Authorize", { idTag: 'A&"<é' });
    expect(accepted).toEqual({ idTagInfo: { status: "Accepted", parentIdTag: 'of A&"<é' } });
    const peer = peerOf(csms);
    expect([peer.version, peer.transport, peer.isOpen, peer.address]).toEqual([
      version,
      "OCPP-S",
      true,
      station.address,
    ]);
    expect(await peer.callUntyped("ChangeConfiguration", { key: "a<b", value: "" })).toEqual({ status: "Accepted" });
    expect(await peer.callUntyped("ChangeConfiguration", { key: "c", value: "1" })).toEqual({ status: "Rejected" });
  });

  it("carry meter values of the version", async () => {
    const { csms, url } = await openCsms();
    const received: unknown[] = [];
    csms.handleOthers((payload) => {
      received.push(payload);
      return {};
    });
    const station = await openStation<SoapVersion>({ url, version });
    const sampled = { value: "12", unit: "Wh", context: "Sample.Periodic" };
    const payload =
      version === "1.2"
        ? {
            connectorId: 1,
            values: [
              { timestamp: now, value: 12 },
              { timestamp: now, value: 13 },
            ],
          }
        : version === "1.5"
          ? { connectorId: 1, transactionId: 7, values: [{ timestamp: now, value: [sampled, { value: "x" }] }] }
          : {
              connectorId: 1,
              transactionId: 7,
              meterValue: [{ timestamp: now, sampledValue: [sampled, { value: "x", phase: "L1-N" }] }],
            };
    expect(await station.connection.callUntyped("MeterValues", payload)).toEqual({});
    expect(received).toEqual([payload]);
  });

  it("answer with the fault that an error code stands for", async () => {
    const { csms, url } = await openCsms();
    const codes = ["SecurityError", "FormatViolation", "InternalError", "NotImplemented"] as const;
    const faults: (string | unknown)[] = [];
    const station = await openStation<SoapVersion>({ url, version });
    for (const code of codes) {
      csms.handle(version, "Heartbeat", () => {
        throw new OcppError(code, `because of ${code}`);
      });
      const error = await station.connection.callUntyped("Heartbeat", {}).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(PeerError);
      faults.push([
        (error as PeerError).details.faultCode,
        (error as PeerError).wireCode,
        (error as PeerError).message,
      ]);
    }
    expect(faults).toEqual([
      ["Sender", "SecurityError", "because of SecurityError"],
      ["Sender", "ProtocolError", "because of FormatViolation"],
      ["Receiver", "InternalError", "because of InternalError"],
      ["Receiver", "NotSupported", "because of NotImplemented"],
    ]);
  });
});

describe("what is typed", () => {
  it("knows request and response of a call by version and action", async () => {
    const { url } = await openCsms();
    const station = await openStation({ url, version: "1.6" });
    const { currentTime } = await station.connection.call("Heartbeat", {});
    expect(currentTime satisfies string).toBe(now);
  });
});

describe("a handler's failures", () => {
  it("tell the peer nothing and the observer everything", async () => {
    const failures: unknown[] = [];
    const { csms, url } = await openCsms({ observer: { failed: ({ error }) => failures.push(error) } });
    const station = await openStation({ url, version: "1.6" });
    const secret = new Error("password is 1234");
    csms.handle("1.6", "Heartbeat", () => Promise.reject(secret));
    await expect(station.connection.call("Heartbeat", {})).rejects.toMatchObject({
      wireCode: "InternalError",
      message: "the request could not be handled",
    });
    csms.handle("1.6", "Heartbeat", () => ({ currentTime: "yesterday" }));
    await expect(station.connection.call("Heartbeat", {})).rejects.toMatchObject({ wireCode: "InternalError" });
    csms.handle("1.6", "Authorize", () => ({ idTagInfo: { status: "Accepted", parentIdTag: "\0" } }));
    await expect(station.connection.call("Authorize", { idTag: "A" })).rejects.toMatchObject({
      wireCode: "InternalError",
    });
    expect(failures).toEqual([secret, expect.any(ValidationError), expect.objectContaining({ character: "U+0000" })]);
  });

  it("of a call that the handler makes itself are not the answer to the peer", async () => {
    const { csms, url } = await openCsms();
    const station = await openStation({ url, version: "1.6" });
    csms.handle("1.6", "Heartbeat", async (_payload, { connection }) => {
      await connection.callUntyped("ClearCache", {});
      return { currentTime: now };
    });
    await expect(station.connection.call("Heartbeat", {})).rejects.toMatchObject({ wireCode: "InternalError" });
  });
});

describe("compression", () => {
  it.each(["gzip", "deflate"] as const)(
    "of requests by %s and of responses works in both directions",
    async (coding) => {
      const { csms, url } = await openCsms({ compressCalls: coding, compressionThresholdBytes: 0 });
      csms.handle("1.6", "DataTransfer", ({ data }) => ({ status: "Accepted", data: data ?? "" }));
      const station = await openStation({ url, version: "1.6", compressCalls: coding, compressionThresholdBytes: 0 });
      station.handle("1.6", "DataTransfer", ({ data }) => ({ status: "Accepted", data: data ?? "" }));
      const data = "é".repeat(20_000);
      const answer = { status: "Accepted", data };
      expect(await station.connection.call("DataTransfer", { vendorId: "v", data })).toEqual(answer);
      expect(await peerOf(csms).callUntyped("DataTransfer", { vendorId: "v", data })).toEqual(answer);
    },
  );

  it("does not get a large response past the limit", async () => {
    const { csms, url } = await openCsms({ compressionThresholdBytes: 0 });
    csms.handle("1.6", "DataTransfer", () => ({ status: "Accepted", data: "x".repeat(100_000) }));
    const station = await openStation({ url, version: "1.6", maxBodyBytes: 50_000 });
    await expect(station.connection.call("DataTransfer", { vendorId: "v" })).rejects.toMatchObject({
      code: "ProtocolError",
      message: "more than 50000 bytes when decompressed",
    });
    expect(await station.connection.call("Heartbeat", {})).toEqual({ currentTime: now });
  });
});

describe("HTTP Basic authentication", () => {
  const password = Buffer.from([0, 1, 58, 255, 254, 10, 13, 32, 0, 1, 58, 255, 254, 10, 13, 32]);

  it("of a station goes by bytes, split at the first colon", async () => {
    const { url } = await openCsms({
      authenticate: ({ identity, authorization }) =>
        authorization?.username.toString() === identity && authorization.password.equals(password)
          ? { accept: true }
          : { accept: false, status: 401 },
    });
    const good = await openStation({ url, version: "1.6", password });
    expect(await good.connection.call("Heartbeat", {})).toEqual({ currentTime: now });
    const bad = await openStation({ url, version: "1.6", password: "wrong" });
    await expect(bad.connection.call("Heartbeat", {})).rejects.toMatchObject({
      wireCode: "SecurityError",
      code: "SecurityError",
    });
  });

  it("of the CSMS is asked for by the station", async () => {
    const { csms, url } = await openCsms({ stationCredentials: () => ({ username: "csms", password }) });
    const seen: string[] = [];
    const station = await openStation({
      url,
      version: "1.6",
      authenticate: ({ authorization, secure }) => {
        seen.push(`${authorization?.username} ${secure}`);
        return authorization?.password.equals(password)
          ? { accept: true }
          : { accept: false, status: 403, reason: "go away" };
      },
    });
    station.handle("1.6", "ClearCache", () => ({ status: "Accepted" }));
    await station.connection.call("Heartbeat", {});
    expect(await peerOf(csms).callUntyped("ClearCache", {})).toEqual({ status: "Accepted" });
    expect(seen).toEqual(["csms false"]);
  });
});
