import { ValidationError } from "@polyphase/ocpp";
import { pino } from "pino";
import { expect, it } from "vitest";
import { systemClock } from "../clock.ts";
import { commandName, StationCommands } from "./command-registry.ts";
import { UnknownCommandError } from "./commands.ts";
import { RecordedWrites } from "./fixture.ts";
import {
  CommandNotSupportedError,
  type Family,
  type StationCalls,
  StationOfflineError,
  type StationSession,
} from "./station-messages.ts";

const session = (stationId: string, family: Family): StationSession => ({
  stationId,
  family,
  version: family === 1 ? "1.6" : "2.1",
  transport: "OCPP-J",
  remoteAddress: "127.0.0.1",
  connectedAt: new Date(0),
  lastSeenAt: new Date(0),
});

/** CP1 is of family 1, CP2 of family 2; calls of family 2 are echoed. */
function commands() {
  const made: unknown[] = [];
  const calls = {
    session: (stationId: string) =>
      stationId === "CP1" ? session("CP1", 1) : stationId === "CP2" ? session("CP2", 2) : undefined,
    call2: async (stationId: string, action: string, payload: unknown) => {
      made.push([stationId, action, payload]);
      return { status: "Accepted" };
    },
  } as unknown as StationCalls;
  const writes = new RecordedWrites();
  const log = pino({ level: "silent" });
  return { made, writes, registry: new StationCommands({ calls, groupCommit: writes, clock: systemClock, log }) };
}

it("names commands in lower camel case, a run of capitals being one word", () => {
  expect(["ClearCache", "AFRRSignal", "GetDERControl", "Reset"].map(commandName)).toEqual([
    "clearCache",
    "afrrSignal",
    "getDERControl",
    "reset",
  ]);
});

it("has every call of 2.1 that a CSMS may make, and no other", () => {
  const names = [...commands().registry.names().keys()];
  expect(names).toContain("requestStartTransaction");
  expect(names).toContain("dataTransfer");
  expect(names).not.toContain("bootNotification");
  expect(names).not.toContain("notifyPeriodicEventStream");
  expect(new Set(names).size).toBe(names.length);
});

it("passes a command to a station of family 2 after its steps have completed the request", async () => {
  const { made, writes, registry } = commands();
  const seen: unknown[] = [];
  registry.prepare("RequestStartTransaction", (_stationId, request) => ({ ...request, remoteStartId: 7 }));
  registry.completed("RequestStartTransaction", (_stationId, request, response) => {
    seen.push(request.remoteStartId, response.status);
    throw new Error("of the step alone");
  });
  const request = { idToken: { idToken: "AA", type: "ISO14443" } };
  expect(await registry.run("CP2", "requestStartTransaction", request)).toEqual({ status: "Accepted" });
  expect(made).toEqual([["CP2", "RequestStartTransaction", { remoteStartId: 7, ...request }]]);
  expect(seen).toEqual([7, "Accepted"]);
  await Promise.resolve();
  expect(writes.events).toMatchObject([{ data: { command: "requestStartTransaction", outcome: "Accepted" } }]);
});

it("does for family 1 what was registered, and says so where nothing was", async () => {
  const { registry } = commands();
  registry.translate("ClearCache", () => Promise.resolve({ status: "Rejected" }));
  expect(await registry.run("CP1", "clearCache", {})).toEqual({ status: "Rejected" });
  await expect(registry.run("CP1", "getTariffs", { evseId: 1 })).rejects.toBeInstanceOf(CommandNotSupportedError);
});

it("refuses unknown commands, wrong requests and stations that are not there", async () => {
  const { registry } = commands();
  registry.prepare("Reset", (_stationId, request) => ({ ...request, type: request.type.trim() as "Immediate" }));
  await expect(registry.run("CP2", "Reset", { type: "Immediate" })).rejects.toBeInstanceOf(UnknownCommandError);
  await expect(registry.run("CP2", "reset", { type: "Gently" })).rejects.toBeInstanceOf(ValidationError);
  await expect(registry.run("CP2", "reset", {})).rejects.toBeInstanceOf(ValidationError);
  await expect(registry.run("CP2", "reset", undefined)).rejects.toBeInstanceOf(ValidationError);
  await expect(registry.run("CP3", "reset", { type: "Immediate" })).rejects.toBeInstanceOf(StationOfflineError);
});
