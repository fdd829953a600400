import { beforeEach, describe, expect, test } from "vitest";
import { OcppError, PeerError } from "../../errors.ts";
import { currentTime, deferred, frame, idOf, peerBench, settle } from "./peer-fixture.ts";

let { wire, events, failures, peerOf } = peerBench();

beforeEach(() => {
  ({ wire, events, failures, peerOf } = peerBench());
});

describe("incoming requests", () => {
  test("are answered synchronously by a handler that returns synchronously", () => {
    const { peer, handlers } = peerOf();
    handlers.set("1.6", "Heartbeat", () => ({ currentTime }));
    peer.receive(frame(2, "77", "Heartbeat", {}));
    expect(wire.frames).toEqual([[3, "77", { currentTime }]]);
  });

  test("are answered in their own time", async () => {
    const { peer, handlers } = peerOf();
    const slow = deferred<unknown>();
    handlers.set("1.6", "Authorize", () => slow.promise);
    handlers.set("1.6", "Heartbeat", async () => ({ currentTime }));
    peer.receive(frame(2, "a", "Authorize", { idTag: "T" }));
    peer.receive(frame(2, "b", "Heartbeat", {}));
    await settle();
    slow.resolve({ idTagInfo: { status: "Accepted" } });
    await settle();
    expect(wire.frames.map(idOf)).toEqual(["b", "a"]);
  });

  test("know their connection, action, id and time", () => {
    const now = new Date("2026-05-01T12:00:00Z");
    const { peer, handlers } = peerOf("1.6", { clock: { now: () => now } });
    const contexts: unknown[] = [];
    handlers.set("1.6", "Heartbeat", (_payload, context) => {
      contexts.push(context);
      return { currentTime };
    });
    peer.receive(frame(2, "77", "Heartbeat", {}));
    expect(contexts).toMatchObject([{ action: "Heartbeat", messageId: "77", receivedAt: now, tolerances: [] }]);
    expect((contexts[0] as { connection: unknown }).connection).toBe(peer);
  });

  test.each([
    ["1.6", { connectorId: 1 }, "ProtocolError"],
    ["1.6", { connectorId: 1, errorCode: "Error", status: "Available" }, "PropertyConstraintViolation"],
    ["1.6", { connectorId: "1", errorCode: "NoError", status: "Available" }, "TypeConstraintViolation"],
    ["1.6", { connectorId: 1, errorCode: "NoError", status: "Available", x: 1 }, "FormationViolation"],
    ["1.6", [], "TypeConstraintViolation"],
    ["2.0.1", { evseId: 1 }, "OccurrenceConstraintViolation"],
    [
      "2.0.1",
      { timestamp: currentTime, connectorStatus: "Available", evseId: 1, connectorId: 1, x: 1 },
      "FormatViolation",
    ],
  ] as const)("that break their schema are refused in the version's own words: %s %j", (version, payload, code) => {
    const { peer, handlers } = peerOf(version);
    handlers.set(version, "StatusNotification", () => ({}));
    peer.receive(frame(2, "1", "StatusNotification", payload));
    expect(wire.last?.slice(0, 3)).toEqual([4, "1", code]);
  });

  test("of unknown actions are NotImplemented, of known ones without a handler NotSupported", () => {
    const { peer } = peerOf();
    for (const [action, code] of [
      ["NoSuchThing", "NotImplemented"],
      ["__proto__", "NotImplemented"],
      ["constructor", "NotImplemented"],
      ["heartbeat", "NotImplemented"],
      ["Heartbeat", "NotSupported"],
      ["Reset", "NotSupported"],
    ]) {
      peer.receive(frame(2, "1", action, {}));
      expect(wire.last?.[2]).toBe(code);
    }
  });

  test("without a handler of their own go to the fallback", () => {
    const { peer, handlers } = peerOf("2.0.1");
    handlers.fallback = (_payload, { action }) => (action === "Heartbeat" ? { currentTime } : {});
    peer.receive(frame(2, "1", "Heartbeat", {}));
    peer.receive(frame(2, "2", "Reset", { type: "Immediate" }));
    expect(wire.frames).toEqual([
      [3, "1", { currentTime }],
      [4, "2", "NotSupported", expect.any(String), {}],
    ]);
  });

  test("whose handler throws OcppError get that error, cut to size", () => {
    const { peer, handlers } = peerOf("2.0.1");
    handlers.set("2.0.1", "Heartbeat", () => {
      throw new OcppError("SecurityError", "x".repeat(300), { details: { a: 1 } });
    });
    peer.receive(frame(2, "1", "Heartbeat", {}));
    expect(wire.last).toEqual([4, "1", "SecurityError", "x".repeat(255), { a: 1 }]);
    expect(failures).toEqual([]);
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("password is hunter2");
      },
    ],
    ["rejects", () => Promise.reject(new Error("password is hunter2"))],
    ["fails by the answer of another peer", () => Promise.reject(new PeerError("SecurityError", "hunter2"))],
    ["answers nothing", () => undefined],
    ["answers what breaks the schema", () => ({ currentTime: "hunter2" })],
    ["answers what JSON cannot hold", () => ({ currentTime, customData: { vendorId: "x", big: 1n } })],
  ])("whose handler %s get InternalError that leaks nothing", async (_name, handler) => {
    const { peer, handlers } = peerOf("2.0.1");
    handlers.set("2.0.1", "Heartbeat", handler);
    peer.receive(frame(2, "1", "Heartbeat", {}));
    await settle();
    expect(wire.frames).toEqual([[4, "1", "InternalError", expect.not.stringContaining("hunter2"), {}]]);
    expect(failures).toHaveLength(1);
  });

  test("are never answered after the connection ended", async () => {
    const { peer, handlers } = peerOf();
    const slow = deferred<unknown>();
    handlers.set("1.6", "Heartbeat", () => slow.promise);
    peer.receive(frame(2, "1", "Heartbeat", {}));
    peer.end({ code: 1006, reason: "" });
    slow.resolve({ currentTime });
    await settle();
    peer.receive(frame(2, "2", "Heartbeat", {}));
    expect(wire.frames).toEqual([]);
  });

  test("repeated with the same id while in work are served by one answer; another action under that id is refused", async () => {
    const { peer, handlers } = peerOf();
    const slow = deferred<unknown>();
    let runs = 0;
    handlers.set("1.6", "Heartbeat", () => {
      runs++;
      return slow.promise;
    });
    peer.receive(frame(2, "1", "Heartbeat", {}));
    peer.receive(frame(2, "1", "Heartbeat", {}));
    peer.receive(frame(2, "1", "Authorize", { idTag: "T" }));
    slow.resolve({ currentTime });
    await settle();
    expect(runs).toBe(1);
    expect(wire.frames).toEqual([
      [4, "1", "GenericError", expect.any(String), {}],
      [3, "1", { currentTime }],
    ]);
    expect(events).toEqual([["repeated request", "1"]]);
  });

  test("may not use __proto__ as a way in", () => {
    const { peer, handlers } = peerOf();
    const seen: unknown[] = [];
    handlers.set("1.6", "DataTransfer", (payload) => {
      seen.push(payload);
      return { status: "Accepted" };
    });
    peer.receive('[2,"1","DataTransfer",{"vendorId":"v","__proto__":{"polluted":true}}]');
    peer.receive('[2,"2","DataTransfer",{"vendorId":"v","constructor":{"prototype":{"polluted":true}}}]');
    expect(wire.frames.map((sent) => sent[2])).toEqual(["FormationViolation", "FormationViolation"]);
    expect(seen).toEqual([]);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test("that are refused before their payload is looked at tell why", () => {
    const refused: unknown[] = [];
    const { peer } = peerOf("1.6", { observer: { refused: ({ action, cause }) => refused.push([action, cause]) } });
    peer.receive(frame(2, "1", "Nonsense", {}));
    peer.receive(frame(2, "2", "Reset", { type: "Soft" }));
    expect(refused).toEqual([
      ["Nonsense", "unknown-action"],
      ["Reset", "not-supported"],
    ]);
  });
});

describe("tolerance of requests", () => {
  const request = { connectorId: 1, errorCode: "Error", status: "Available", extra: 1 };

  test("mends a request step by step and names its rules", () => {
    const { peer, handlers } = peerOf("1.6", {
      tolerance: {
        payload: ({ payload, violation }) => {
          const { extra: _extra, ...rest } = payload as Record<string, unknown>;
          if (violation.rule === "additionalProperties") return { rule: "unknown-property", payload: rest };
          if (violation.path === "/errorCode")
            return { rule: "error-code", payload: { ...(payload as object), errorCode: "OtherError" } };
          return undefined;
        },
      },
    });
    const seen: unknown[] = [];
    handlers.set("1.6", "StatusNotification", (payload, { tolerances }) => {
      seen.push(payload, tolerances);
      return {};
    });
    peer.receive(frame(2, "1", "StatusNotification", request));
    expect(wire.last).toEqual([3, "1", {}]);
    expect(seen[0]).toEqual({ connectorId: 1, errorCode: "OtherError", status: "Available" });
    expect([...(seen[1] as string[])].sort()).toEqual(["error-code", "unknown-property"]);
  });

  test("may accept a payload as it is", () => {
    const { peer, handlers } = peerOf("1.6", { tolerance: { payload: () => ({ rule: "any", skipValidation: true }) } });
    handlers.set("1.6", "StatusNotification", () => ({}));
    peer.receive(frame(2, "1", "StatusNotification", request));
    expect(wire.last).toEqual([3, "1", {}]);
  });

  test("is asked at most eight times", () => {
    let asked = 0;
    const payload = () => {
      asked++;
      return { rule: "hopeless" };
    };
    const { peer, handlers } = peerOf("1.6", { tolerance: { payload } });
    handlers.set("1.6", "StatusNotification", () => ({}));
    peer.receive(frame(2, "1", "StatusNotification", request));
    expect(asked).toBe(8);
    expect(wire.last?.[0]).toBe(4);
  });

  test("that throws counts as a refusal", () => {
    const payload = () => {
      throw new Error("bug");
    };
    const { peer, handlers } = peerOf("1.6", { tolerance: { payload } });
    handlers.set("1.6", "StatusNotification", () => ({}));
    peer.receive(frame(2, "1", "StatusNotification", request));
    expect(wire.last?.[0]).toBe(4);
    expect(failures).toHaveLength(1);
  });
});

test("a handler for an action that nobody sends is refused at once", () => {
  const { handlers } = peerOf();
  expect(() => handlers.set("1.6", "Reset", () => ({}))).toThrow(TypeError);
  expect(() => handlers.set("1.6", "NoSuchThing", () => ({}))).toThrow(TypeError);
});
