import { describe, expect, it } from "vitest";
import { newIds, useHonestCsms } from "../system/honest-csms.ts";
import { RawStation, transactionsOf } from "../system/raw-station.ts";

const running = useHonestCsms();

const newId = newIds();
const timestamp = "2026-04-01T10:00:00Z";

describe("an id that stands for any transaction", () => {
  it.each([-1, 0, -2147483645, 4711])("is stopped many times at once, and every stop is kept: %i", async (id) => {
    const station = await RawStation.boot16(running, newId("STOPS"));
    const stops = Array.from({ length: 12 }, (_, index) =>
      station.ask("StopTransaction", { transactionId: id, meterStop: 1_000 + index, timestamp }),
    );
    for (const answer of await Promise.all(stops)) expect(answer[0], JSON.stringify(answer)).toBe(3);
    const items = await transactionsOf(running, station.identity);
    // A positive id names a transaction; later stops are told of the same one.
    expect(items).toHaveLength(id > 0 ? 1 : 12);
    await station.close();
  });

  it("may be a transaction's own id once the station speaks 2.x", async () => {
    const identity = newId("GROWN");
    const old = await RawStation.boot16(running, identity);
    await old.call("StopTransaction", { transactionId: -1, meterStop: 1_000, timestamp });
    await old.close();
    const grown = await RawStation.boot2(running, identity);
    const event = (eventType: string, seqNo: number) =>
      grown.call("TransactionEvent", {
        ...{ eventType, seqNo, timestamp, triggerReason: "Authorized" },
        ...{ transactionInfo: { transactionId: "-1" }, evse: { id: 1, connectorId: 1 } },
      });
    await event("Started", 0);
    await event("Ended", 1);
    expect(await transactionsOf(running, identity)).toHaveLength(2);
    await grown.close();
    const again = await RawStation.boot16(running, identity);
    await again.call("StopTransaction", { transactionId: -1, meterStop: 2_000, timestamp });
    expect(await transactionsOf(running, identity)).toHaveLength(3);
    await again.close();
  });

  it("is used again by many events at once after its end, and none is refused", async () => {
    const station = await RawStation.boot2(running, newId("REUSED"), "ocpp2.1");
    const event = (eventType: string, seqNo: number, minute: number) =>
      station.ask("TransactionEvent", {
        ...{ eventType, seqNo, triggerReason: "Authorized" },
        timestamp: `2026-04-01T10:${String(minute).padStart(2, "0")}:00Z`,
        ...{ transactionInfo: { transactionId: "same" }, evse: { id: 1, connectorId: 1 } },
      });
    await event("Started", 0, 0);
    await event("Ended", 1, 1);
    const starts = await Promise.all([2, 3, 4, 5, 6, 7].map((minute) => event("Started", 0, minute)));
    for (const answer of starts) expect(answer[0], JSON.stringify(answer)).toBe(3);
    await station.close();
  });
});

describe("a message id", () => {
  it.each(["\u0000", "a\u0000", "a\u0000b", "\u0000\u0000c", "\ud800", "__proto__", "", "💥"])(
    "is answered as it is: %j",
    async (id) => {
      const station = await RawStation.boot16(running, newId("ID"));
      const answer = station.answerTo(id);
      station.send(`[2,${JSON.stringify(id)},"Heartbeat",{}]`);
      expect(await answer).toEqual([3, id, { currentTime: expect.any(String) }]);
      await station.close();
    },
  );
});

describe("a text that is too long for the answer that repeats it", () => {
  it("is refused as the request's fault, though a rule let it pass", async () => {
    const station = await RawStation.boot2(running, newId("ECHO"), "ocpp2.1");
    const hash = { hashAlgorithm: "SHA256", issuerNameHash: "a", issuerKeyHash: "k".repeat(200), serialNumber: "1" };
    const certificateStatusRequests = [
      { source: "OCSP", urls: ["http://ocsp.example.org/"], certificateHashData: hash },
    ];
    const answer = await station.ask("GetCertificateChainStatus", { certificateStatusRequests });
    expect(answer).toEqual([
      ...[4, expect.any(String), "PropertyConstraintViolation", expect.any(String)],
      { path: "/certificateStatusRequests/0/certificateHashData/issuerKeyHash", rule: "maxLength" },
    ]);
    await station.close();
  });
});
