import type { IncomingMessage } from "node:http";
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { ManualTimers } from "../endpoint/manual-timers.ts";
import { UpgradeGate } from "./upgrade-gate.ts";

const turnOfTheLoop = () => new Promise((resolve) => setImmediate(resolve));

function gateOf() {
  const begun: string[] = [];
  const gate = new UpgradeGate({
    path: "/ocpp",
    versions: new Set(["1.6"]),
    authenticate: ({ identity }) => {
      begun.push(identity);
      return { accept: true };
    },
    handshakeTimeoutMs: 1_000,
    timers: new ManualTimers(),
    observer: undefined,
  });
  const admitted: string[] = [];
  const ask = (identity: string) => {
    const socket = new PassThrough();
    const headers = { "sec-websocket-protocol": "ocpp1.6" };
    const request = { url: `/ocpp/${identity}`, headers, socket: {} } as unknown as IncomingMessage;
    gate.admit(request, socket, (admission) => admitted.push(admission.identity));
    return socket;
  };
  return { gate, begun, admitted, ask };
}

test("handshakes that come together are begun a few in each turn of the event loop, in their order", async () => {
  const { gate, begun, admitted, ask } = gateOf();
  const identities = Array.from({ length: 100 }, (_, index) => `CP${index}`);
  for (const identity of identities) ask(identity);
  const first = begun.length;
  expect(first).toBeLessThan(20);
  expect(gate.waiting).toBe(100);
  await turnOfTheLoop();
  expect(begun.length).toBeLessThanOrEqual(first * 3);
  for (let turn = 0; turn < 100; turn++) await turnOfTheLoop();
  expect(begun).toEqual(identities);
  expect(admitted).toEqual(identities);
  expect(gate.waiting).toBe(0);
});

test("a station that gives up while it waits for its turn is not authenticated, and waits no more", async () => {
  const { gate, begun, admitted, ask } = gateOf();
  const sockets = Array.from({ length: 50 }, (_, index) => ask(`CP${index}`));
  sockets[49]?.destroy();
  for (let turn = 0; turn < 60; turn++) await turnOfTheLoop();
  expect(begun).toHaveLength(49);
  expect(admitted).not.toContain("CP49");
  expect(gate.waiting).toBe(0);
});

test("a gate that is shut lets nobody through who still waits for a turn", async () => {
  const { gate, admitted, ask } = gateOf();
  for (let index = 0; index < 50; index++) ask(`CP${index}`);
  await turnOfTheLoop();
  const before = admitted.length;
  gate.shut();
  for (let turn = 0; turn < 60; turn++) await turnOfTheLoop();
  expect(admitted.length).toBe(before);
  expect(gate.waiting).toBe(0);
});
