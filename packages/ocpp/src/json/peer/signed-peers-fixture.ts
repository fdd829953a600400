import { createHash, generateKeyPairSync, type KeyObject, X509Certificate } from "node:crypto";
import type { OcppVersion } from "../../catalogue/version.ts";
import type { EndpointObserver } from "../../connection.ts";
import { OutgoingCalls } from "./outgoing-calls.ts";
import { type PeerOptions, peerSettings } from "./peer-settings.ts";
import { RpcPeer } from "./rpc-peer.ts";
import { isFlattenedJws, type SignedMessagesOptions, type SigningAlgorithm } from "./signed-messages.ts";

export const certificate = new X509Certificate(`-----BEGIN CERTIFICATE-----
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
export const thumbprint = createHash("sha256").update(certificate.raw).digest("base64url");

/** What signs, and what verifies. */
export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** New keys. */
export function keysOf(algorithm: SigningAlgorithm): KeyPair {
  return algorithm === "ES256"
    ? generateKeyPairSync("ec", { namedCurve: "P-256" })
    : generateKeyPairSync("rsa", { modulusLength: 2048 });
}

export const ours = keysOf("ES256");
export const theirs = keysOf("ES256");

/** A station and a CSMS whose transports are each other; every frame is kept. */
export function pair(
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

/** The protected header of the signed message in a frame. */
export function headerOf(frame: unknown[] | undefined): unknown {
  const jws = frame?.find(isFlattenedJws);
  return jws && JSON.parse(Buffer.from(jws.protected, "base64url").toString());
}
