import { flattenedVerify } from "jose";
import { describe, expect, test } from "vitest";
import { currentTime } from "./peer-fixture.ts";
import type { FlattenedJws } from "./signed-messages.ts";
import { certificate, headerOf, keysOf, ours, pair, theirs, thumbprint } from "./signed-peers-fixture.ts";

function isSignedCall(frame: unknown[]): boolean {
  return frame[0] === 2 && String(frame[2]).endsWith("-Signed");
}

function payloadOf(frame: unknown[]): Record<string, unknown> {
  const jws = frame[3] as FlattenedJws;
  return JSON.parse(Buffer.from(jws.payload, "base64url").toString()) as Record<string, unknown>;
}

describe("sending signed messages", () => {
  test.each(["ES256", "RS256", "RS384"] as const)(
    "%s: the action gets its suffix, the payload is a flattened JWS with the header of Part 4 §7.1",
    async (algorithm) => {
      const keys = keysOf(algorithm);
      const { csms, station, frames } = pair(
        { signingKey: { algorithm, privateKey: keys.privateKey, certificate } },
        undefined,
      );
      station.handlers.set("2.0.1", "Reset", () => ({ status: "Accepted" }));
      expect(await csms.peer.call("Reset", { type: "Immediate" })).toEqual({ status: "Accepted" });
      const [request, response] = frames;
      expect(request?.slice(0, 3)).toEqual([2, expect.any(String), "Reset-Signed"]);
      expect(request).toHaveLength(4);
      expect(headerOf(request)).toEqual({
        alg: algorithm,
        OCPPAction: "Reset",
        OCPPMessageTypedId: 2,
        "x5t#S256": thumbprint,
      });
      const { payload } = await flattenedVerify(request?.[3] as FlattenedJws, keys.publicKey);
      expect(JSON.parse(new TextDecoder().decode(payload))).toEqual({ type: "Immediate" });
      // This station has no key: it takes the signed request and answers plainly.
      expect(response).toEqual([3, request?.[1], { status: "Accepted" }]);
    },
  );

  test("only what the rule names is signed", async () => {
    const signs = ({ action }: { action: string }) => action === "Reset";
    const { csms, station, frames } = pair(
      { signingKey: { algorithm: "ES256", privateKey: ours.privateKey }, signs },
      undefined,
    );
    station.handlers.fallback = () => ({ status: "Accepted" });
    await csms.peer.call("Reset", { type: "Immediate" });
    await csms.peer.call("ClearCache", {});
    expect(frames.filter(([type]) => type === 2).map((frame) => frame[2])).toEqual(["Reset-Signed", "ClearCache"]);
    expect(headerOf(frames[0])).not.toHaveProperty("x5t#S256");
  });

  test("calls leave in the order in which they were made", async () => {
    const { csms, station, frames } = pair(
      { signingKey: { algorithm: "ES256", privateKey: ours.privateKey } },
      undefined,
    );
    station.handlers.fallback = () => ({ status: "Accepted" });
    await Promise.all(
      Array.from({ length: 20 }, (_, evseId) => csms.peer.call("Reset", { type: "Immediate", evseId })),
    );
    const sent = frames.filter(isSignedCall).map((frame) => payloadOf(frame));
    expect(sent.map(({ evseId }) => evseId)).toEqual(Array.from({ length: 20 }, (_, index) => index));
  });

  test("1.6 has no signed messages", async () => {
    const { csms, station, frames } = pair(
      { signingKey: { algorithm: "ES256", privateKey: ours.privateKey } },
      undefined,
      "1.6",
    );
    station.handlers.set("1.6", "Reset", () => ({ status: "Accepted" }));
    await csms.peer.call("Reset", { type: "Soft" });
    expect(frames[0]?.[2]).toBe("Reset");
    csms.peer.receive('[2,"1","Heartbeat-Signed",{}]');
    expect(frames.at(-1)?.slice(0, 3)).toEqual([4, "1", "NotImplemented"]);
  });

  test("SEND of 2.1 can be signed", async () => {
    const signingKey = { algorithm: "ES256", privateKey: theirs.privateKey } as const;
    const { csms, station, frames } = pair({ verificationKey: () => theirs.publicKey }, { signingKey }, "2.1");
    const payload = { id: 1, pending: 0, basetime: currentTime, data: [{ t: 0, v: "1" }] };
    const handled = new Promise((resolve) => {
      csms.handlers.set("2.1", "NotifyPeriodicEventStream", (received) => resolve(received));
    });
    await station.peer.send("NotifyPeriodicEventStream", payload);
    expect(await handled).toEqual(payload);
    expect(frames[0]?.slice(0, 3)).toEqual([6, expect.any(String), "NotifyPeriodicEventStream-Signed"]);
    expect(headerOf(frames[0])).toMatchObject({ OCPPMessageTypedId: 6 });
    expect(frames).toHaveLength(1);
  });
});
