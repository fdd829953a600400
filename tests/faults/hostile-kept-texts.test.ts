import { afterAll, beforeAll, expect, it } from "vitest";
import { rawRequest } from "../system/raw-station.ts";
import { eventually, type RunningCsms, runCsms } from "../system/running-csms.ts";
import { liveHeapBytes } from "./live-heap.ts";
import { soapEnvelope } from "./station-messages.ts";

const MEBIBYTE = 2 ** 20;
/** Messages that are sent, each of nearly a mebibyte. */
const MESSAGES = 64;

let running: RunningCsms;

beforeAll(async () => {
  running = await runCsms();
});

afterAll(() => running.close());

async function post(identity: string, body: string): Promise<void> {
  const padding = `<!--${"x".repeat(MEBIBYTE - 2_000)}-->`;
  const answer = await rawRequest(running.urlFor("1.5"), {
    method: "POST",
    body: soapEnvelope("1.6", identity, body, padding),
    headers: { "content-type": "application/soap+xml; charset=utf-8" },
  });
  expect(answer.status, answer.text.slice(0, 300)).toBe(200);
}

/** Sends the messages one after the other, and waits until no more than a quarter of them is still in memory. */
async function expectForgotten(send: (index: number) => Promise<void>): Promise<void> {
  // What is compiled and opened for the first message is no growth.
  await send(0);
  const before = liveHeapBytes();
  for (let index = 1; index <= MESSAGES; index++) await send(index);
  await eventually(
    "the return of the memory",
    () => (liveHeapBytes() - before < (MESSAGES / 4) * MEBIBYTE ? true : undefined),
    60_000,
  );
}

it("what is remembered of unknown stations is not the envelope that they came with", { timeout: 300_000 }, () =>
  expectForgotten((index) => post(`UNKNOWN-STATION-${index}`, "<c:heartbeatRequest/>")),
);

it("what is remembered of a booted station is not the envelope that told it", { timeout: 300_000 }, () => {
  const facts =
    "<c:chargePointVendor>A vendor with a name</c:chargePointVendor><c:chargePointModel>A model with a name</c:chargePointModel>" +
    "<c:chargePointSerialNumber>A serial number</c:chargePointSerialNumber>";
  return expectForgotten((index) =>
    post(`BOOTED-STATION-${index}`, `<c:bootNotificationRequest>${facts}</c:bootNotificationRequest>`),
  );
});

it("what is remembered of transactions is not the envelope that began them", { timeout: 300_000 }, async () => {
  await running.api("PUT", "/id-tokens/A-TOKEN-OF-A-CAR", { status: "Accepted" });
  await expectForgotten((index) =>
    post(
      "CHARGING-STATION",
      `<c:startTransactionRequest><c:connectorId>${index + 1}</c:connectorId><c:idTag>A-TOKEN-OF-A-CAR</c:idTag>` +
        "<c:timestamp>2026-05-01T10:00:00Z</c:timestamp><c:meterStart>0</c:meterStart></c:startTransactionRequest>",
    ),
  );
});
