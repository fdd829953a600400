import { afterEach, describe, expect, it } from "vitest";
import type { WireMessage } from "../connection.ts";
import {
  CallQueueFullError,
  CallTimeoutError,
  NotConnectedError,
  OcppError,
  PeerError,
  UnknownActionError,
  ValidationError,
} from "../errors.ts";
import { SoapCsms, type SoapCsmsOptions } from "./soap-csms.ts";
import { SoapStation, type SoapStationOptions } from "./soap-station.ts";
import { type SoapVersion, soapVersions } from "./soap-version.ts";

const now = "2026-03-01T12:00:00Z";
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function openCsms(options: SoapCsmsOptions = {}): Promise<{ csms: SoapCsms; url: string }> {
  const csms = new SoapCsms(options);
  for (const version of soapVersions) csms.handle(version, "Heartbeat", () => ({ currentTime: now }));
  const { port } = await csms.listen({ port: 0 });
  closers.push(() => csms.close({ graceMs: 50 }));
  return { csms, url: `http://127.0.0.1:${port}/ocpp/soap` };
}

async function openStation<V extends SoapVersion>(
  options: Pick<SoapStationOptions<V>, "url" | "version"> & Partial<SoapStationOptions<V>>,
): Promise<SoapStation<V>> {
  const station = new SoapStation<V>({ identity: "CP1", listen: { port: 0 }, ...options });
  await station.start();
  closers.push(() => station.close({ graceMs: 50 }));
  return station;
}

function peerOf(csms: SoapCsms, identity = "CP1") {
  const peer = csms.connections.get(identity);
  if (peer === undefined) throw new Error(`${identity} is not connected`);
  return peer;
}

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

describe("calls", () => {
  it("go out one at a time and in order", async () => {
    const { csms, url } = await openCsms();
    const station = await openStation({ url, version: "1.6" });
    let running = 0;
    let most = 0;
    const order: (string | undefined)[] = [];
    station.handle("1.6", "DataTransfer", async ({ data }) => {
      running++;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      order.push(data);
      running--;
      return { status: "Accepted" };
    });
    await station.connection.call("Heartbeat", {});
    const peer = peerOf(csms);
    const calls = ["1", "2", "3", "4"].map((data) => peer.callUntyped("DataTransfer", { vendorId: "v", data }));
    await Promise.all(calls);
    expect(order).toEqual(["1", "2", "3", "4"]);
    expect(most).toBe(1);
  });

  it("are refused when the queue is full, and leave it when they are given up", async () => {
    const { csms, url } = await openCsms({ maxQueuedCalls: 1 });
    const station = await openStation({ url, version: "1.6" });
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let handled = 0;
    station.handle("1.6", "ClearCache", async () => {
      handled++;
      await held;
      return { status: "Accepted" };
    });
    await station.connection.call("Heartbeat", {});
    const peer = peerOf(csms);
    const first = peer.callUntyped("ClearCache", {});
    const abort = new AbortController();
    const second = peer.callUntyped("ClearCache", {}, { signal: abort.signal });
    await expect(peer.callUntyped("ClearCache", {})).rejects.toBeInstanceOf(CallQueueFullError);
    abort.abort(new Error("not needed any more"));
    await expect(second).rejects.toThrow("not needed any more");
    const impatient = peer.callUntyped("ClearCache", {}, { queueTimeoutMs: 1 });
    await expect(impatient).rejects.toMatchObject({ name: "CallTimeoutError", sent: false });
    const third = peer.callUntyped("ClearCache", {});
    release();
    expect(await Promise.all([first, third])).toEqual([{ status: "Accepted" }, { status: "Accepted" }]);
    expect(handled).toBe(2);
    await expect(
      peer.callUntyped("ClearCache", {}, { signal: AbortSignal.abort(new Error("too late")) }),
    ).rejects.toThrow("too late");
  });

  it("end with a time-out that frees the slot", async () => {
    const { csms, url } = await openCsms();
    const station = await openStation({ url, version: "1.6" });
    station.handle("1.6", "ClearCache", () => new Promise(() => {}));
    station.handle("1.6", "Reset", () => ({ status: "Accepted" }));
    await station.connection.call("Heartbeat", {});
    const peer = peerOf(csms);
    const slow = peer.callUntyped("ClearCache", {}, { timeoutMs: 50 });
    const next = peer.callUntyped("Reset", { type: "Hard" });
    await expect(slow).rejects.toBeInstanceOf(CallTimeoutError);
    expect(await next).toEqual({ status: "Accepted" });
  });

  it("are checked before they are sent", async () => {
    const sent: WireMessage[] = [];
    const { csms, url } = await openCsms({ observer: { message: (message) => sent.push(message) } });
    const station = await openStation({ url, version: "1.5" });
    await station.connection.call("Heartbeat", {});
    sent.length = 0;
    const peer = peerOf(csms);
    await expect(peer.callUntyped("Reset", { type: "Medium" })).rejects.toBeInstanceOf(ValidationError);
    await expect(peer.callUntyped("TriggerMessage", {})).rejects.toBeInstanceOf(UnknownActionError);
    await expect(peer.callUntyped("Heartbeat", {})).rejects.toBeInstanceOf(UnknownActionError);
    await expect(peer.callUntyped("DataTransfer", { vendorId: "v", data: "a\0b" })).rejects.toMatchObject({
      violation: { path: "/data", rule: "xml" },
    });
    expect(sent).toEqual([]);
  });

  it("do not know the security extension of 1.6, which has no WSDL", async () => {
    const { url } = await openCsms();
    const station = await openStation({ url, version: "1.6" });
    const payload = { type: "x", timestamp: now };
    await expect(station.connection.callUntyped("SecurityEventNotification", payload)).rejects.toBeInstanceOf(
      UnknownActionError,
    );
  });

  it("say that the peer cannot be reached, and whether the request left", async () => {
    const { csms, url } = await openCsms();
    const deaf = await openStation({ url, version: "1.6", publicUrl: "http://127.0.0.1:1/" });
    await deaf.connection.call("Heartbeat", {});
    await expect(peerOf(csms).callUntyped("ClearCache", {})).rejects.toMatchObject({
      name: "NotConnectedError",
      sent: false,
    });
    const silent = new SoapStation({ url, identity: "CP2", version: "1.6" });
    await silent.connection.call("Heartbeat", {});
    const peer = peerOf(csms, "CP2");
    expect([peer.isOpen, peer.address]).toEqual([false, undefined]);
    await expect(peer.callUntyped("ClearCache", {})).rejects.toMatchObject({ name: "NotConnectedError", sent: false });
    await silent.close();
  });

  it("fail when the connection is closed, the one under way after the grace", async () => {
    const { csms, url } = await openCsms();
    const station = await openStation({ url, version: "1.6" });
    let started = () => {};
    const arrived = new Promise<void>((resolve) => {
      started = resolve;
    });
    station.handle("1.6", "ClearCache", () => {
      started();
      return new Promise(() => {});
    });
    await station.connection.call("Heartbeat", {});
    const peer = peerOf(csms);
    const running = peer.callUntyped("ClearCache", {});
    const waiting = peer.callUntyped("ClearCache", {});
    const outcomes = Promise.allSettled([running, waiting]);
    await arrived;
    await peer.close({ graceMs: 20, reason: "enough" });
    expect(await outcomes).toEqual([
      { status: "rejected", reason: expect.objectContaining({ name: "NotConnectedError", sent: true }) },
      { status: "rejected", reason: expect.objectContaining({ name: "NotConnectedError", sent: false }) },
    ]);
    expect([peer.isOpen, peer.closed.aborted, csms.connections.has("CP1")]).toEqual([false, true, false]);
    await expect(peer.callUntyped("ClearCache", {})).rejects.toBeInstanceOf(NotConnectedError);
  });
});

describe("the CSMS keeps track of its stations", () => {
  it("and tells of first contact, new addresses, new versions and ends", async () => {
    const events: unknown[] = [];
    const { csms, url } = await openCsms({
      authenticate: ({ version }) => ({ accept: true, context: `context of ${version}` }),
      onConnect: ({ identity, version, address }, { context }) =>
        events.push(["connect", identity, version, address, context]),
      onAddress: ({ version }, address) => events.push(["address", version, address]),
      onDisconnect: ({ version }, { reason, replacedBy }) => events.push(["disconnect", version, reason, replacedBy]),
    });
    const contact = async <V extends SoapVersion>(version: V, publicUrl: string) => {
      const station = await openStation<SoapVersion>({ url, version, publicUrl });
      await station.connection.callUntyped("Heartbeat", {});
      await station.connection.callUntyped("Heartbeat", {});
    };
    await contact("1.5", "http://127.0.0.1:1001/a");
    const first = peerOf(csms);
    await contact("1.5", "http://127.0.0.1:1002/");
    expect(peerOf(csms)).toBe(first);
    expect(first.address).toBe("http://127.0.0.1:1002/");
    await contact("1.6", "http://127.0.0.1:1003/");
    expect(peerOf(csms).version).toBe("1.6");
    expect(first.closed.aborted).toBe(true);
    await csms.close();
    expect(events).toEqual([
      ["connect", "CP1", "1.5", "http://127.0.0.1:1001/a", "context of 1.5"],
      ["address", "1.5", "http://127.0.0.1:1001/a"],
      ["address", "1.5", "http://127.0.0.1:1002/"],
      ["disconnect", "1.5", "now speaks OCPP 1.6", true],
      ["connect", "CP1", "1.6", "http://127.0.0.1:1003/", "context of 1.6"],
      ["address", "1.6", "http://127.0.0.1:1003/"],
      ["disconnect", "1.6", "the CSMS closes", undefined],
    ]);
  });

  it("and survives callbacks that throw", async () => {
    const failed: unknown[] = [];
    const boom = () => {
      throw new Error("boom");
    };
    const { url } = await openCsms({
      onConnect: boom,
      onAddress: boom,
      observer: { failed: ({ error }) => failed.push(error) },
    });
    const station = await openStation({ url, version: "1.6" });
    expect(await station.connection.call("Heartbeat", {})).toEqual({ currentTime: now });
    expect(failed).toHaveLength(2);
  });

  it("reaches a station after a restart by the address kept elsewhere", async () => {
    const { csms: before, url } = await openCsms();
    const station = await openStation({ url, version: "1.5" });
    station.handle("1.5", "ClearCache", () => ({ status: "Accepted" }));
    await station.connection.call("Heartbeat", {});
    const kept = peerOf(before).address;
    const { csms: after } = await openCsms({ stationAddress: (identity) => (identity === "CP1" ? kept : undefined) });
    expect(after.connectionTo("CP9", "1.5")).toBeUndefined();
    expect(await after.connectionTo("CP1", "1.5")?.callUntyped("ClearCache", {})).toEqual({ status: "Accepted" });
    expect(after.connectionTo("CP1", "1.5")).toBe(peerOf(after));
  });

  it("forgets a station that is silent for too long", async () => {
    let nowMs = 0;
    let runTimers: (() => void)[] = [];
    const timers = {
      elapsedMs: () => nowMs,
      after: (_delayMs: number, callback: () => void) => {
        runTimers.push(callback);
        return () => {};
      },
    };
    const gone: string[] = [];
    const { csms, url } = await openCsms({
      timers,
      silenceTimeoutMs: 1000,
      onDisconnect: ({ identity }, { reason }) => gone.push(`${identity}: ${reason}`),
    });
    const advance = (ms: number) => {
      nowMs += ms;
      const due = runTimers;
      runTimers = [];
      for (const callback of due) callback();
    };
    const one = await openStation({ url, version: "1.6", identity: "CP1" });
    const two = await openStation({ url, version: "1.6", identity: "CP2" });
    await one.connection.call("Heartbeat", {});
    await two.connection.call("Heartbeat", {});
    advance(600);
    await two.connection.call("Heartbeat", {});
    advance(600);
    expect([...csms.connections.keys()]).toEqual(["CP2"]);
    expect(gone).toEqual(["CP1: silent for 1000 ms"]);
  });

  it("does not call addresses that it is told not to", async () => {
    const { csms, url } = await openCsms({ acceptAddress: ({ address }) => address.hostname !== "169.254.169.254" });
    const station = await openStation({ url, version: "1.6", publicUrl: "http://169.254.169.254/latest" });
    await station.connection.call("Heartbeat", {});
    expect(peerOf(csms).address).toBeUndefined();
    const mailer = await openStation({ url, version: "1.6", identity: "CP2", publicUrl: "ftp://127.0.0.1/" });
    await mailer.connection.call("Heartbeat", {});
    expect(peerOf(csms, "CP2").address).toBeUndefined();
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

describe("the observer", () => {
  it("sees every envelope of both directions with its text", async () => {
    const log: WireMessage[] = [];
    const observer = { message: (message: WireMessage) => log.push(message) };
    const { csms, url } = await openCsms({ observer });
    const station = await openStation({ url, version: "1.5" });
    await station.connection.call("Heartbeat", {});
    await peerOf(csms)
      .callUntyped("ClearCache", {})
      .catch(() => {});
    expect(log.map(({ direction, kind, action, errorCode }) => [direction, kind, action, errorCode])).toEqual([
      ["received", "CALL", "Heartbeat", undefined],
      ["sent", "CALLRESULT", "Heartbeat", undefined],
      ["sent", "CALL", "ClearCache", undefined],
      ["received", "CALLERROR", "ClearCache", "NotSupported"],
    ]);
    expect(
      log.every(
        ({ identity, version, transport }) => identity === "CP1" && version === "1.5" && transport === "OCPP-S",
      ),
    ).toBe(true);
    expect(log[0]?.messageId).toBe(log[1]?.messageId);
    expect(log[2]?.messageId).toBe(log[3]?.messageId);
    for (const { text } of log)
      expect(text).toMatch(/^<\?xml version="1.0" encoding="UTF-8"\?>\n<s:Envelope .*<\/s:Envelope>$/s);
  });
});
