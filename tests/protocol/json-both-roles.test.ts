import { JsonCsms, JsonStation, type OcppVersion, ocppVersions, PeerError } from "@polyphase/ocpp";
import { afterEach, expect, test } from "vitest";

const currentTime = "2026-01-01T00:00:00Z";
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const idTagInfo = { status: "Accepted" } as const;
const boot1 = { currentTime, interval: 300, status: "Accepted" } as const;

/** A CSMS that takes a charging session of every version. */
function sessionCsms(): JsonCsms {
  return new JsonCsms()
    .handle("1.2", "BootNotification", () => ({ currentTime, heartbeatInterval: 300, status: "Accepted" }))
    .handle("1.2", "Authorize", () => ({ idTagInfo }))
    .handle("1.2", "StartTransaction", () => ({ transactionId: 7, idTagInfo }))
    .handle("1.2", "StopTransaction", () => ({}))
    .handle("1.5", "BootNotification", () => ({ currentTime, heartbeatInterval: 300, status: "Accepted" }))
    .handle("1.5", "Authorize", () => ({ idTagInfo }))
    .handle("1.5", "StartTransaction", () => ({ transactionId: 7, idTagInfo }))
    .handle("1.5", "StopTransaction", () => ({}))
    .handle("1.6", "BootNotification", () => boot1)
    .handle("1.6", "Authorize", async () => ({ idTagInfo }))
    .handle("1.6", "StartTransaction", async () => ({ transactionId: 7, idTagInfo }))
    .handle("1.6", "StopTransaction", async () => ({}))
    .handle("2.0.1", "BootNotification", () => boot1)
    .handle("2.0.1", "Authorize", () => ({ idTokenInfo: { status: "Accepted" } }))
    .handle("2.0.1", "TransactionEvent", () => ({}))
    .handle("2.1", "BootNotification", async () => boot1)
    .handle("2.1", "Authorize", async () => ({ idTokenInfo: { status: "Accepted" } }))
    .handle("2.1", "TransactionEvent", async () => ({}));
}

function session(version: OcppVersion): readonly (readonly [action: string, payload: unknown, response: unknown])[] {
  if (version === "2.0.1" || version === "2.1") {
    const idToken = { idToken: "T", type: "ISO14443" };
    const event = (eventType: string, seqNo: number, triggerReason: string) => ({
      eventType,
      seqNo,
      triggerReason,
      timestamp: currentTime,
      transactionInfo: { transactionId: "tx" },
    });
    return [
      ["BootNotification", { reason: "PowerUp", chargingStation: { model: "m", vendorName: "v" } }, boot1],
      ["Authorize", { idToken }, { idTokenInfo: { status: "Accepted" } }],
      ["TransactionEvent", event("Started", 0, "CablePluggedIn"), {}],
      ["TransactionEvent", event("Ended", 1, "EVCommunicationLost"), {}],
    ];
  }
  const boot = version === "1.6" ? boot1 : { currentTime, heartbeatInterval: 300, status: "Accepted" };
  return [
    ["BootNotification", { chargePointVendor: "v", chargePointModel: "m" }, boot],
    ["Authorize", { idTag: "T" }, { idTagInfo }],
    [
      "StartTransaction",
      { connectorId: 1, idTag: "T", timestamp: currentTime, meterStart: 0 },
      { transactionId: 7, idTagInfo },
    ],
    ["StopTransaction", { transactionId: 7, timestamp: currentTime, meterStop: 10 }, {}],
  ];
}

test.each(ocppVersions)("a session of %s, calls of the CSMS and errors in both directions", async (version) => {
  const csms = sessionCsms();
  const { port } = await csms.listen({ port: 0, host: "127.0.0.1" });
  cleanups.push(() => csms.close({ graceMs: 0 }));
  const station = new JsonStation({ url: `ws://127.0.0.1:${port}/ocpp`, identity: "CS 1", versions: [version] });
  cleanups.push(() => station.close({ graceMs: 0 }));
  station.handleOthers((_payload, { action }) => {
    if (action === "UnlockConnector") throw new Error("the lock is stuck");
    return { status: action === "ClearCache" ? "Accepted" : "Rejected" };
  });
  const connection = await station.connect();
  expect(connection.version).toBe(version);

  for (const [action, payload, response] of session(version)) {
    expect(await connection.callUntyped(action, payload)).toEqual(response);
  }

  const seen = csms.connections.get("CS 1");
  const family2 = version === "2.0.1" || version === "2.1";
  expect(await seen?.callUntyped("ClearCache", {})).toEqual({ status: "Accepted" });
  expect(await seen?.callUntyped("Reset", { type: family2 ? "Immediate" : "Soft" })).toEqual({ status: "Rejected" });

  const refused = await connection.callUntyped("Heartbeat", {}).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(PeerError);
  expect(refused).toMatchObject({ code: "NotSupported" });
  const unlock = family2 ? { evseId: 1, connectorId: 1 } : { connectorId: 1 };
  const failed = await seen?.callUntyped("UnlockConnector", unlock).catch((error: unknown) => error);
  expect(failed).toMatchObject({ name: "PeerError", code: "InternalError" });
});
