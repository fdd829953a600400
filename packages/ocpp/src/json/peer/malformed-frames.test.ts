import { beforeEach, describe, expect, test } from "vitest";
import { peerBench } from "./peer-fixture.ts";

let { wire, events, messages, peerOf } = peerBench();

beforeEach(() => {
  ({ wire, events, messages, peerOf } = peerBench());
});

describe("malformed frames", () => {
  test("are answered with id -1 in 2.x, and with silence in 1.6", () => {
    for (const version of ["1.6", "2.0.1", "2.1"] as const) peerOf(version).peer.receive("hello");
    expect(wire.frames).toEqual([
      [4, "-1", "RpcFrameworkError", "not JSON", {}],
      [4, "-1", "RpcFrameworkError", "not JSON", {}],
    ]);
    expect(events).toHaveLength(3);
    expect(messages.filter(({ kind }) => kind === "malformed")).toHaveLength(3);
  });

  test("whose id can be read are answered under it in every version", () => {
    for (const version of ["1.6", "2.0.1"] as const) peerOf(version).peer.receive('[2,"9","Heartbeat",{]');
    expect(wire.frames.map((sent) => sent.slice(0, 3))).toEqual([
      [4, "9", "FormationViolation"],
      [4, "9", "FormatViolation"],
    ]);
  });

  test("that are binary are counted and ignored", () => {
    peerOf("2.0.1").peer.receiveBinary();
    expect(wire.frames).toEqual([]);
    expect(events).toEqual([["unreadable frame: binary frame", ""]]);
  });
});
