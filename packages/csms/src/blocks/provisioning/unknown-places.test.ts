import { beforeEach, expect, it } from "vitest";
import { newStation } from "./station.ts";
import { isUndescribed, UnknownPlaces } from "./unknown-places.ts";

let nowMs: number;
let connected: Set<string>;
let places: UnknownPlaces;

beforeEach(() => {
  nowMs = 0;
  connected = new Set();
  places = new UnknownPlaces({ elapsedMs: () => nowMs, isConnected: (stationId) => connected.has(stationId) });
});

const fill = (network: string, ...stationIds: readonly string[]) => {
  for (const stationId of stationIds) places.take(stationId, network);
};

it("the network that has most gives the place of its oldest to a newcomer of another", () => {
  fill("crowd", "C1", "C2", "C3");
  fill("installer", "I1");
  expect(places.yield("elsewhere")).toBe("C1");
  expect(places.yield("installer")).toBeUndefined();
  expect(places.most).toBe(2);
});

it("a network cannot displace its own stations, nor those of one that has hardly more", () => {
  fill("crowd", "C1", "C2", "C3");
  fill("second", "S1", "S2");
  expect(places.yield("crowd")).toBeUndefined();
  expect(places.yield("second")).toBeUndefined();
});

it("who is not connected goes before who is", () => {
  fill("crowd", "C1", "C2", "C3");
  connected.add("C1");
  expect(places.yield("elsewhere")).toBe("C2");
  fill("crowd", "C4");
  for (const stationId of ["C3", "C4"]) connected.add(stationId);
  expect(places.yield("elsewhere")).toBe("C1");
});

it("a station that somebody looked at keeps its place for an hour", () => {
  fill("crowd", "C1", "C2", "C3");
  places.look("C1");
  expect(places.yield("elsewhere")).toBe("C2");
  nowMs = 3_600_000;
  expect(places.yield("elsewhere")).toBe("C1");
});

it("who was approved or described has left its place", () => {
  fill("crowd", "C1", "C2", "C3");
  places.leave("C1");
  expect(places.yield("elsewhere")).toBe("C2");
  expect(places.networks).toBe(1);
  places.leave("C3");
  expect(places.networks).toBe(0);
});

it.each([
  ["waits, and nobody has said anything of it", {}, true],
  ["is approved", { registrationStatus: "Accepted" }, false],
  ["is rejected", { registrationStatus: "Rejected" }, false],
  ["has a site", { site: "Berlin" }, false],
  ["has a tag", { tags: ["new"] }, false],
  ["has notes", { notes: "comes on Monday" }, false],
  ["must prove itself", { securityProfile: 1 }, false],
  ["was given a version", { configuredVersion: "1.6" }, false],
] as const)("a station that %s: may yield its place: %3$s", (_what, settings, expected) => {
  expect(isUndescribed(newStation("CS", new Date(0), settings))).toBe(expected);
});
