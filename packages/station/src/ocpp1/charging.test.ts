import { once } from "node:events";
import { OcppError } from "@polyphase/ocpp";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Family1Bench } from "./family1-bench.testing.ts";

let bench: Family1Bench;

beforeEach(async () => {
  bench = new Family1Bench();
  await bench.start();
});

afterEach(async () => {
  await bench.stop();
});

describe("charging at a station of OCPP 1.6", () => {
  it("goes Available, Preparing, Charging, SuspendedEV, Finishing, Available (§4.9)", async () => {
    await bench.charge();
    bench.station.pauseVehicle(1);
    await bench.station.presentIdToken(1, "TAG1");
    bench.station.unplug(1);
    expect(await bench.statuses()).toEqual([
      "Available",
      "Preparing",
      "Charging",
      "SuspendedEV",
      "Finishing",
      "Available",
    ]);
  });

  it("starts nothing for a token that the CSMS refuses (§4.1)", async () => {
    bench.csms.answers.set("Authorize", () => ({ idTagInfo: { status: "Blocked" } }));
    bench.station.plugIn(1);
    expect(await bench.station.presentIdToken(1, "BAD")).toBe("Refused");
    await bench.station.settled();
    expect(bench.csms.all("StartTransaction")).toEqual([]);
  });

  it("lets only the same token or its group stop a transaction (parentIdTag)", async () => {
    bench.csms.answers.set("Authorize", ({ idTag }) => ({
      idTagInfo: { status: "Accepted", ...(idTag === "STRANGER" ? {} : { parentIdTag: "FAMILY" }) },
    }));
    bench.station.plugIn(1);
    await bench.station.presentIdToken(1, "MOTHER");
    expect(await bench.station.presentIdToken(1, "STRANGER")).toBe("Refused");
    expect(await bench.station.presentIdToken(1, "FATHER")).toBe("Stopped");
    await bench.station.settled();
    expect(bench.csms.all("StopTransaction")).toMatchObject([{ idTag: "FATHER" }]);
  });

  it("forgets an authorization when nobody plugs in within ConnectionTimeOut", async () => {
    expect(await bench.station.presentIdToken(1, "TAG1")).toBe("Authorized");
    await bench.clock.advance(121_000);
    expect(await bench.statuses()).toEqual(["Available", "Preparing", "Available"]);
    bench.station.plugIn(1);
    await bench.station.settled();
    expect(bench.csms.all("StartTransaction")).toEqual([]);
  });

  it("stops with DeAuthorized when StartTransaction is answered Invalid and StopTransactionOnInvalidId is true", async () => {
    bench.csms.answers.set("StartTransaction", () => ({ transactionId: 5, idTagInfo: { status: "Invalid" } }));
    await bench.charge();
    expect(bench.csms.all("StopTransaction")).toMatchObject([{ transactionId: 5, reason: "DeAuthorized" }]);
  });

  it("only suspends the energy when StopTransactionOnInvalidId is false, after MaxEnergyOnInvalidId", async () => {
    await bench.status("ChangeConfiguration", { key: "StopTransactionOnInvalidId", value: "false" });
    await bench.status("ChangeConfiguration", { key: "MaxEnergyOnInvalidId", value: "500" });
    bench.csms.answers.set("StartTransaction", () => ({ transactionId: 5, idTagInfo: { status: "Expired" } }));
    const before = bench.station.evse(1).meterWh;
    await bench.charge();
    expect(bench.station.evse(1).status).toBe("Charging");
    await bench.minutes(10);
    expect(bench.station.evse(1).status).toBe("SuspendedEVSE");
    const takenWh = bench.station.evse(1).meterWh - before;
    expect(takenWh).toBeGreaterThanOrEqual(500);
    expect(takenWh).toBeLessThan(600);
    expect(bench.csms.all("StopTransaction")).toEqual([]);
  });

  it("ends with EVDisconnected when the vehicle is unplugged, or waits when StopTransactionOnEVSideDisconnect is false", async () => {
    await bench.charge();
    bench.station.unplug(1);
    await bench.station.settled();
    expect(bench.csms.all("StopTransaction")).toMatchObject([{ reason: "EVDisconnected" }]);
    await bench.status("ChangeConfiguration", { key: "StopTransactionOnEVSideDisconnect", value: "false" });
    bench.csms.forget();
    await bench.charge();
    bench.station.unplug(1);
    bench.station.plugIn(1);
    expect(await bench.statuses()).toEqual(["Preparing", "Charging", "SuspendedEV", "Charging"]);
    expect(bench.csms.all("StopTransaction")).toEqual([]);
  });

  it("repeats a transaction message that fails, after the interval times the attempts so far, then gives it up", async () => {
    await bench.status("ChangeConfiguration", { key: "TransactionMessageAttempts", value: "3" });
    await bench.status("ChangeConfiguration", { key: "TransactionMessageRetryInterval", value: "10" });
    const sentAt: number[] = [];
    let refused = 0;
    bench.station.on("message", ({ direction, kind, action }) => {
      if (direction === "sent" && action === "StartTransaction") sentAt.push(bench.clock.now());
      if (direction === "received" && kind === "CALLERROR") refused++;
    });
    bench.csms.answers.set("StartTransaction", () => {
      throw new OcppError("InternalError", "out of order");
    });
    bench.station.plugIn(1);
    const discarded = once(bench.station, "messageDiscarded");
    const first = bench.csms.next("StartTransaction");
    await bench.station.presentIdToken(1, "TAG1");
    await first;
    // What follows waits for its turn, so the station is not settled before the message is given up.
    for (let second = 0; second < 40 && sentAt.length < 3; second++) {
      // The interval begins with the answer: no time passes while one is on its way.
      while (refused < sentAt.length) await new Promise((resolve) => setImmediate(resolve));
      await bench.tick(1_000);
    }
    await discarded;
    expect(sentAt.map((at) => Math.round((at - (sentAt[0] ?? 0)) / 1000))).toEqual([0, 10, 30]);
    // OCPP 1.6 errata: what belongs to the lost StartTransaction goes out with the id -1.
    const stopped = bench.csms.next("StopTransaction");
    await bench.station.presentIdToken(1, "TAG1");
    expect((await stopped).transactionId).toBe(-1);
    expect(bench.station.ledger[0]).toMatchObject({ action: "StartTransaction", outcome: "discarded", attempts: 3 });
  });

  it("reports a fault with its error code, ends the transaction, and recovers", async () => {
    await bench.charge();
    bench.station.setFault(1, { errorCode: "GroundFailure", info: "RCD" });
    await bench.station.settled();
    expect(bench.csms.all("StopTransaction")).toMatchObject([{ reason: "Other" }]);
    expect(bench.csms.all("StatusNotification").at(-1)).toMatchObject({
      status: "Faulted",
      errorCode: "GroundFailure",
      info: "RCD",
    });
    bench.station.setFault(1);
    expect((await bench.statuses()).at(-1)).toBe("Finishing");
  });
});
