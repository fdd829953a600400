import { createHash, generateKeyPairSync, type KeyObject, X509Certificate } from "node:crypto";
import { flattenedVerify } from "jose";
import { describe, expect, test, vi } from "vitest";
import type { OcppVersion } from "../../catalogue/version.ts";
import type { EndpointObserver } from "../../connection.ts";
import { OutgoingCalls } from "./outgoing-calls.ts";
import { type PeerOptions, peerSettings } from "./peer-settings.ts";
import { RpcPeer } from "./rpc-peer.ts";
import {
  type FlattenedJws,
  isFlattenedJws,
  type SignedMessagesOptions,
  type Signer,
  type SigningAlgorithm,
} from "./signed-messages.ts";

const currentTime = "2026-01-01T00:00:00Z";
const certificate = new X509Certificate(`-----BEGIN CERTIFICATE-----
MIIBeDCCAR+gAwIBAgIUMUQ2KWIUPN3iuZfMPRlNWJFq0WowCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGc2lnbmVyMCAXDTI2MTEyMjIyNDcwMloYDzIxMjYxMDI5MjI0
NzAyWjARMQ8wDQYDVQQDDAZzaWduZXIwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AAQWPi19ocElzdKnETy78b93uiuJWnZ19M1ZqpV4KzEWsaY/7IUqJkKesdWLiavX
pJ2S6YE97jReG43lPhQo+F2ao1MwUTAdBgNVHQ4EFgQUz009nGtiX2SsK2aOF83L
FaKN78AwHwYDVR0jBBgwFoAUz009nGtiX2SsK2aOF83LFaKN78AwDwYDVR0TAQH/
BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiAN1uuEKKr3Dfg43KPCqTYdwjoqUbl9
SN5TLtWwt+52JAIgIahNXs+0B0SW5c0U4cSVhq/Pj8yauSjq2BQnLh8I9DQ=
-----END CERTIFICATE-----
`);
const thumbprint = createHash("sha256").update(certificate.raw).digest("base64url");

interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

function keysOf(algorithm: SigningAlgorithm): KeyPair {
  return algorithm === "ES256"
    ? generateKeyPairSync("ec", { namedCurve: "P-256" })
    : generateKeyPairSync("rsa", { modulusLength: 2048 });
}

const ours = keysOf("ES256");
const theirs = keysOf("ES256");

/** A station and a CSMS whose transports are each other; every frame is kept. */
function pair(
  csmsSigning: SignedMessagesOptions | undefined,
  stationSigning: SignedMessagesOptions | undefined,
  version: OcppVersion = "2.0.1",
) {
  const frames: unknown[][] = [];
  const failures: unknown[] = [];
  const observer: EndpointObserver = { failed: ({ error }) => failures.push(error) };
  const peers: RpcPeer[] = [];
  const [csms, station] = (["CSMS", "ChargingStation"] as const).map((role, index) => {
    const signedMessages = index === 0 ? csmsSigning : stationSigning;
    const options: PeerOptions = { observer, ...(signedMessages && { signedMessages }) };
    const settings = peerSettings(role, options);
    const transport = {
      sendText: (text: string) => {
        frames.push(JSON.parse(text) as unknown[]);
        peers[1 - index]?.receive(text);
      },
      pause: () => {},
      resume: () => {},
      close: () => {},
      terminate: () => {},
    };
    const calls = new OutgoingCalls(settings);
    const peer = new RpcPeer(settings, { identity: "CS1", version, remoteAddress: "" }, transport, calls);
    peers.push(peer);
    peer.start();
    return { peer, handlers: settings.handlers };
  });
  if (csms === undefined || station === undefined) throw new Error("unreachable");
  return { csms, station, frames, failures };
}

function headerOf(frame: unknown[] | undefined): unknown {
  const jws = frame?.find(isFlattenedJws);
  return jws && JSON.parse(Buffer.from(jws.protected, "base64url").toString());
}

describe("sending", () => {
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

function isSignedCall(frame: unknown[]): boolean {
  return frame[0] === 2 && String(frame[2]).endsWith("-Signed");
}

function payloadOf(frame: unknown[]): Record<string, unknown> {
  const jws = frame[3] as FlattenedJws;
  return JSON.parse(Buffer.from(jws.payload, "base64url").toString()) as Record<string, unknown>;
}

describe("receiving", () => {
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
