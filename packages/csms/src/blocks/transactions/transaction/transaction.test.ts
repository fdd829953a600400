import fc from "fast-check";
import { expect, it } from "vitest";
import { Transaction } from "./transaction.ts";
import type { EventFacts, TransactionEvent } from "./transaction-event.ts";

const T0 = Date.parse("2026-03-01T00:00:00Z");

const facts: fc.Arbitrary<EventFacts> = fc.record(
  {
    evseId: fc.integer({ min: 1, max: 3 }),
    connectorId: fc.integer({ min: 1, max: 2 }),
    idToken: fc.record({ idToken: fc.constantFrom("A", "B", ""), type: fc.constantFrom("ISO14443", "Central") }),
    idTokenStatus: fc.constantFrom("Accepted", "Invalid"),
    chargingState: fc.constantFrom("Charging", "Idle", "SuspendedEV"),
    stoppedReason: fc.constantFrom("Local", "Remote"),
    remoteStartId: fc.integer({ min: 1, max: 3 }),
    reservationId: fc.integer({ min: 1, max: 3 }),
    meterStartWh: fc.integer({ min: 1, max: 100 }),
    meterStopWh: fc.integer({ min: 1, max: 100 }),
    attribution: fc.constantFrom("stop-by-evidence", "meter-values-by-evse"),
  },
  { requiredKeys: [] },
);

const events: fc.Arbitrary<TransactionEvent[]> = fc.array(
  fc
    .record({
      eventType: fc.constantFrom("Started" as const, "Updated" as const, "Ended" as const),
      triggerReason: fc.constantFrom("Authorized", "StopAuthorized", "MeterValuePeriodic"),
      minute: fc.nat({ max: 50 }),
      seqNo: fc.option(fc.nat({ max: 8 }), { nil: undefined }),
      offline: fc.boolean(),
      facts,
    })
    .map(({ minute, seqNo, ...rest }) => ({
      ...rest,
      atMs: T0 + minute * 60_000,
      receivedAt: new Date(T0),
      ...(seqNo === undefined ? {} : { seqNo }),
      key: `${String(seqNo)} ${minute} ${rest.eventType} ${JSON.stringify(rest.facts)}`,
      meterValues: [],
    })),
  { maxLength: 10 },
);

function told(of: readonly TransactionEvent[]) {
  const transaction = new Transaction({ id: "1", stationId: "CS", transactionId: "T", generation: 1 });
  for (const event of of) transaction.tell(event);
  const { state, progress, status, evseId } = transaction;
  return { state: sortKeys(state), progress: sortKeys(progress), status, evseId };
}

/** The order in which facts became known shows in the order of members only. */
function sortKeys(value: object): unknown {
  return JSON.parse(JSON.stringify(value), (_key, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

it("knows the same of a transaction whatever the order of its events, and however often they come", () => {
  fc.assert(
    fc.property(
      events.chain((list) =>
        fc.tuple(
          fc.constant(list),
          fc.shuffledSubarray([...list, ...list], { minLength: list.length * 2, maxLength: list.length * 2 }),
        ),
      ),
      ([list, shuffled]) => {
        expect(told(shuffled)).toEqual(told(list));
      },
    ),
    { numRuns: 2_000 },
  );
});

it("takes the first token that was accepted, and not the one that stopped it (E07.FR.02)", () => {
  const event = (seqNo: number, idToken: string, more: Partial<TransactionEvent> & { status?: string }) => ({
    eventType: "Updated" as const,
    triggerReason: "Authorized",
    atMs: T0 + seqNo,
    receivedAt: new Date(T0),
    seqNo,
    key: String(seqNo),
    offline: false,
    meterValues: [],
    ...more,
    facts: { idToken: { idToken }, idTokenStatus: more.status ?? "Accepted" },
  });
  const { state } = told([
    event(1, "REFUSED", { status: "Invalid" }),
    event(2, "FIRST", {}),
    event(3, "SECOND", {}),
    event(4, "STOPPER", { triggerReason: "StopAuthorized" }),
  ]) as { state: { token: { value: object }; stopToken: { value: object } } };
  expect(state.token.value).toMatchObject({ idToken: "FIRST" });
  expect(state.stopToken.value).toMatchObject({ idToken: "STOPPER" });
});
