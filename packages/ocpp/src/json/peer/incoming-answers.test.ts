import { beforeEach, describe, expect, test } from "vitest";
import { PeerError, ValidationError } from "../../errors.ts";
import { frame, idOf, peerBench } from "./peer-fixture.ts";

let { wire, events, messages, observer, peerOf } = peerBench();

beforeEach(() => {
  ({ wire, events, messages, observer, peerOf } = peerBench());
});

describe("answers to calls", () => {
  test("reject with the peer's error under its own and the common spelling", async () => {
    const { peer } = peerOf();
    const call = peer.call("Reset", { type: "Soft" });
    peer.receive(frame(4, idOf(wire.last), "FormationViolation", "no", { why: 1 }));
    const error = await call.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(PeerError);
    expect(error).toMatchObject({
      code: "FormatViolation",
      wireCode: "FormationViolation",
      message: "no",
      details: { why: 1 },
    });
  });

  test("report duplicate and unknown responses and go on", async () => {
    const { peer } = peerOf();
    const call = peer.call("Reset", { type: "Soft" });
    const id = idOf(wire.last);
    peer.receive(frame(3, "nobody", { status: "Accepted" }));
    peer.receive(frame(4, "nobody", "GenericError", "", {}));
    peer.receive(frame(3, id, { status: "Accepted" }));
    peer.receive(frame(3, id, { status: "Accepted" }));
    expect(await call).toEqual({ status: "Accepted" });
    expect(events).toEqual([
      ["unknown response", "nobody"],
      ["unknown response", "nobody"],
      ["duplicate response", id],
    ]);
  });

  test("of 2.1 answer a response that breaks its schema with CALLRESULTERROR", async () => {
    const { peer } = peerOf("2.1");
    const call = peer.call("Reset", { type: "Immediate" });
    const id = idOf(wire.last);
    peer.receive(frame(3, id, { status: "Maybe" }));
    await expect(call).rejects.toMatchObject({ name: "ValidationError", direction: "response" });
    expect(wire.last).toEqual([
      5,
      id,
      "PropertyConstraintViolation",
      expect.any(String),
      { path: "/status", rule: "enum" },
    ]);
    expect(events).toEqual([["violated", "enum"]]);
  });

  test.each(["1.6", "2.0.1"] as const)(
    "of %s reject a response that breaks its schema and say nothing",
    async (version) => {
      const { peer } = peerOf(version);
      const call = peer.callUntyped("Reset", { type: version === "1.6" ? "Soft" : "Immediate" });
      peer.receive(frame(3, idOf(wire.last), { status: "Maybe" }));
      await expect(call).rejects.toBeInstanceOf(ValidationError);
      expect(wire.frames).toHaveLength(1);
    },
  );

  test("end at once when their CALLRESULT is truncated", async () => {
    const { peer } = peerOf("2.1");
    const call = peer.call("Reset", { type: "Immediate" });
    const id = idOf(wire.last);
    peer.receive(`[3,"${id}",{"status":"Acc`);
    await expect(call).rejects.toMatchObject({ name: "ValidationError", violation: { rule: "frame" } });
    expect(wire.last?.slice(0, 3)).toEqual([5, id, "FormatViolation"]);
  });

  test("do not end by a CALLERROR of id -1, which may be about anything", async () => {
    const { peer } = peerOf("2.0.1");
    const call = peer.callUntyped("Reset", { type: "Immediate" });
    peer.receive(frame(4, "-1", "RpcFrameworkError", "", {}));
    expect(events).toEqual([["the peer could not read a message: RpcFrameworkError", "-1"]]);
    peer.receive(frame(3, idOf(wire.last), { status: "Accepted" }));
    expect(await call).toEqual({ status: "Accepted" });
  });

  test.each([
    ["1.6", "SomethingWrong"],
    ["1.6", "RpcFrameworkError"],
    ["2.0.1", "FormationViolation"],
  ] as const)(
    "with a CALLERROR whose code %s does not have (%s) tell it as spelled, or GenericError",
    async (version, code) => {
      const refused: unknown[] = [];
      const answered = async (isAllowed: boolean) => {
        const { peer } = peerOf(version, {
          tolerance: { allows: () => isAllowed },
          observer: { ...observer, refused: ({ cause, reason }) => refused.push([cause, reason]) },
        });
        const call = peer.callUntyped("ClearCache", {}).catch((error: unknown) => error);
        peer.receive(frame(4, idOf(wire.last), code, "", {}));
        return await call;
      };
      expect(await answered(true)).toMatchObject({ name: "PeerError", wireCode: code });
      expect(events).toEqual([["tolerated", "json-error-code"]]);
      expect(await answered(false)).toMatchObject({ name: "PeerError", wireCode: "GenericError" });
      expect(refused).toEqual([["not-tolerated", "json-error-code"]]);
    },
  );

  test("of the kind CALLRESULTERROR are reported in 2.1", () => {
    const { peer } = peerOf("2.1");
    peer.receive(frame(5, "1", "FormatViolation", "", {}));
    expect(events).toEqual([["CALLRESULTERROR FormatViolation", "1"]]);
    expect(messages).toMatchObject([{ kind: "CALLRESULTERROR", errorCode: "FormatViolation" }]);
  });

  test("are mended by the tolerance hook like requests", async () => {
    const { peer } = peerOf("2.1", {
      tolerance: {
        payload: ({ direction }) =>
          direction === "response" ? { rule: "status", payload: { status: "Accepted" } } : undefined,
      },
    });
    const call = peer.call("Reset", { type: "Immediate" });
    peer.receive(frame(3, idOf(wire.last), { status: "OK" }));
    expect(await call).toEqual({ status: "Accepted" });
    expect(wire.frames).toHaveLength(1);
  });
});
