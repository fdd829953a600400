import { describe, expect, test, vi } from "vitest";
import type { FlattenedJws, Signer } from "./signed-messages.ts";
import { certificate, headerOf, ours, pair, theirs } from "./signed-peers-fixture.ts";

describe("receiving signed messages", () => {
  test("a signed request is answered by a signed response when there is a key (Part 4 §7.2), and both are verified", async () => {
    const signers: Signer[] = [];
    const { csms, station, frames } = pair(
      {
        signingKey: { algorithm: "ES256", privateKey: ours.privateKey, certificate },
        verificationKey: async (signer) => {
          signers.push(signer);
          return theirs.publicKey;
        },
        requires: () => true,
      },
      {
        signingKey: { algorithm: "ES256", privateKey: theirs.privateKey },
        verificationKey: () => ours.publicKey,
        requires: () => true,
      },
    );
    station.handlers.set("2.0.1", "Reset", async () => ({ status: "Scheduled" }));
    expect(await csms.peer.call("Reset", { type: "OnIdle" })).toEqual({ status: "Scheduled" });
    expect(headerOf(frames[1])).toEqual({ alg: "ES256", OCPPAction: "Reset", OCPPMessageTypedId: 3 });
    expect(signers).toEqual([
      {
        identity: "CS1",
        version: "2.0.1",
        action: "Reset",
        direction: "response",
        thumbprint: undefined,
        algorithm: "ES256",
      },
    ]);
  });

  test("the encapsulated message is validated like any other", async () => {
    const { csms, station, frames } = pair(
      { signingKey: { algorithm: "ES256", privateKey: ours.privateKey } },
      undefined,
    );
    station.handlers.set("2.0.1", "Reset", () => ({ status: "Accepted" }));
    const jws = await signed("Reset", 2, { type: "Gently" });
    station.peer.receive(JSON.stringify([2, "9", "Reset-Signed", jws]));
    expect((await answerTo(frames, "9")).slice(0, 3)).toEqual([4, "9", "PropertyConstraintViolation"]);
    await expect(csms.peer.callUntyped("Reset", { type: "Gently" })).rejects.toMatchObject({ name: "ValidationError" });
  });

  test("an unknown action with the suffix is NotImplemented", () => {
    const { station, frames } = pair(undefined, undefined);
    station.peer.receive('[2,"9","NoSuchThing-Signed",{}]');
    expect(frames.at(-1)?.slice(0, 3)).toEqual([4, "9", "NotImplemented"]);
  });

  async function signed(action: string, type: number, payload: unknown, alg = "ES256"): Promise<FlattenedJws> {
    const { FlattenedSign } = await import("jose");
    const text = new TextEncoder().encode(typeof payload === "string" ? payload : JSON.stringify(payload));
    const key = alg === "HS256" ? new Uint8Array(32) : ours.privateKey;
    const header = { alg, OCPPAction: action, OCPPMessageTypedId: type };
    return (await new FlattenedSign(text).setProtectedHeader(header).sign(key)) as FlattenedJws;
  }

  const answerTo = (frames: readonly unknown[][], id: string) =>
    vi.waitFor(
      () => {
        const frame = frames.find(([type, messageId]) => type !== 2 && messageId === id);
        if (frame === undefined) throw new Error(`no answer to ${id} yet`);
        return frame;
      },
      { timeout: 60_000, interval: 5 },
    );

  test.each([
    [
      "signed by somebody else",
      (good: FlattenedJws) => ({ ...good, signature: Buffer.alloc(64).toString("base64url") }),
      "SecurityError",
    ],
    [
      "changed on the way",
      (good: FlattenedJws) => ({ ...good, payload: Buffer.from('{"type":"OnIdle"}').toString("base64url") }),
      "SecurityError",
    ],
    ["with a header that cannot be read", (good: FlattenedJws) => ({ ...good, protected: "!!!" }), "SecurityError"],
    [
      "with a header that is null",
      (good: FlattenedJws) => ({ ...good, protected: Buffer.from("null").toString("base64url") }),
      "SecurityError",
    ],
    ["of another action", () => signed("ClearCache", 2, { type: "Immediate" }), "SecurityError"],
    ["of another message type", () => signed("Reset", 3, { type: "Immediate" }), "SecurityError"],
    ["by an algorithm that is not allowed", () => signed("Reset", 2, { type: "Immediate" }, "HS256"), "SecurityError"],
    ["whose payload is no JSON", () => signed("Reset", 2, "hello"), "FormatViolation"],
    ["that is no JWS", () => ({ type: "Immediate" }), "FormatViolation"],
  ])("a message %s is refused and not handled", async (_name, spoil, code) => {
    const { station, frames } = pair(undefined, { verificationKey: () => ours.publicKey });
    let handled = 0;
    station.handlers.set("2.0.1", "Reset", () => {
      handled++;
      return { status: "Accepted" };
    });
    const payload = await spoil(await signed("Reset", 2, { type: "Immediate" }));
    station.peer.receive(JSON.stringify([2, "9", "Reset-Signed", payload]));
    expect((await answerTo(frames, "9")).slice(0, 3)).toEqual([4, "9", code]);
    expect(handled).toBe(0);
    station.peer.receive(JSON.stringify([2, "10", "Reset-Signed", await signed("Reset", 2, { type: "Immediate" })]));
    expect(await answerTo(frames, "10")).toEqual([3, "10", { status: "Accepted" }]);
    expect(handled).toBe(1);
  });

  test("a signer whose key nobody knows is refused", async () => {
    const { station, frames } = pair(undefined, { verificationKey: () => undefined });
    station.handlers.set("2.0.1", "Reset", () => ({ status: "Accepted" }));
    station.peer.receive(JSON.stringify([2, "9", "Reset-Signed", await signed("Reset", 2, { type: "Immediate" })]));
    expect((await answerTo(frames, "9")).slice(0, 3)).toEqual([4, "9", "SecurityError"]);
  });

  test("an unsigned request that must be signed is refused, in 2.x only", () => {
    const requires = ({ action }: { action: string }) => action === "Reset";
    for (const [version, code] of [
      ["2.0.1", 4],
      ["1.6", 3],
    ] as const) {
      const { station, frames } = pair(undefined, { requires }, version);
      station.handlers.set(version, "Reset", () => ({ status: "Accepted" }));
      station.handlers.set(version, "ClearCache", () => ({ status: "Accepted" }));
      station.peer.receive(JSON.stringify([2, "9", "Reset", { type: version === "1.6" ? "Soft" : "Immediate" }]));
      expect(frames.at(-1)?.[0]).toBe(code);
      station.peer.receive('[2,"10","ClearCache",{}]');
      expect(frames.at(-1)?.slice(0, 2)).toEqual([3, "10"]);
    }
  });

  test("an unsigned response that must be signed rejects the call, in 2.1 with CALLRESULTERROR", async () => {
    const signingKey = { algorithm: "ES256", privateKey: ours.privateKey } as const;
    const { csms, station, frames } = pair({ signingKey, requires: () => true }, undefined, "2.1");
    station.handlers.set("2.1", "Reset", () => ({ status: "Accepted" }));
    await expect(csms.peer.callUntyped("Reset", { type: "Immediate" })).rejects.toMatchObject({
      code: "SecurityError",
    });
    expect(frames.at(-1)?.slice(0, 3)).toEqual([5, expect.any(String), "SecurityError"]);
    await expect(csms.peer.callUntyped("ClearCache", {})).rejects.toMatchObject({ code: "NotSupported" });
  });

  test("a handler's failure behind a signed request stays a plain CALLERROR", async () => {
    const signingKey = { algorithm: "ES256", privateKey: ours.privateKey } as const;
    const { csms, station, failures } = pair({ signingKey }, { signingKey });
    station.handlers.set("2.0.1", "Reset", () => {
      throw new Error("bug");
    });
    await expect(csms.peer.callUntyped("Reset", { type: "Immediate" })).rejects.toMatchObject({
      wireCode: "InternalError",
    });
    station.handlers.set("2.0.1", "Reset", () => ({ status: "Nonsense" }));
    await expect(csms.peer.callUntyped("Reset", { type: "Immediate" })).rejects.toMatchObject({
      wireCode: "InternalError",
    });
    expect(failures).toHaveLength(2);
  });
});
