import type { KeyObject, X509Certificate } from "node:crypto";
import { createHash } from "node:crypto";
import type { FlattenedJWSInput } from "jose";
import { isFamily2, type OcppVersion } from "../../catalogue/version.ts";
import { OcppError } from "../../errors.ts";

/** The algorithms that Part 4 §7.3 allows. */
export type SigningAlgorithm = "ES256" | "RS256" | "RS384";

const ALGORITHMS: readonly SigningAlgorithm[] = ["ES256", "RS256", "RS384"];
const SUFFIX = "-Signed";

/** What signs. */
export interface SigningKey {
  readonly algorithm: SigningAlgorithm;
  readonly privateKey: KeyObject;
  /** Named in the header by its SHA-256 thumbprint, `x5t#S256` (Part 4 §7.4). */
  readonly certificate?: X509Certificate;
}

/** Which message a rule is asked about. */
export interface SignableMessage {
  readonly identity: string;
  readonly version: OcppVersion;
  readonly action: string;
  readonly direction: "request" | "response";
}

/** Who says to have signed a message. */
export interface Signer extends SignableMessage {
  /** SHA-256 thumbprint of the certificate, base64url, as the sender gave it. */
  readonly thumbprint: string | undefined;
  readonly algorithm: SigningAlgorithm;
}

/** Signed messages of 2.x (Part 4 chapter 7). Other versions neither send nor take them. */
export interface SignedMessagesOptions {
  /** Signs the requests that {@link signs} names, and the answers to signed requests. Without it nothing is signed. */
  readonly signingKey?: SigningKey;
  /** Whether a request goes out signed; every one when absent. */
  signs?(message: SignableMessage): boolean;
  /**
   * Finds the public key that verifies a signature; undefined refuses the message. When absent, signed messages are
   * taken without a look at their signature, as the specification allows.
   */
  verificationKey?(signer: Signer): KeyObject | undefined | Promise<KeyObject | undefined>;
  /** Whether a message of the peer must be signed; none must when absent. Only useful with {@link verificationKey}. */
  requires?(message: SignableMessage): boolean;
}

/** Flattened JWS JSON serialization (RFC 7515 §7.2.2) with a protected header only. */
export interface FlattenedJws {
  readonly payload: string;
  readonly protected: string;
  readonly signature: string;
}

interface ProtectedHeader {
  readonly alg: SigningAlgorithm;
  readonly thumbprint: string | undefined;
}

/** The number of the message type that a header names in `OCPPMessageTypedId`. */
export type SignedMessageType = 2 | 3 | 6;

/** The action that `X-Signed` wraps; undefined for any other action. */
export function unsignedAction(action: string): string | undefined {
  return action.endsWith(SUFFIX) ? action.slice(0, -SUFFIX.length) : undefined;
}

/** `X-Signed`. */
export function signedAction(action: string): string {
  return action + SUFFIX;
}

/** Whether a payload has the form of a flattened JWS, which no message of OCPP has. */
export function isFlattenedJws(payload: unknown): payload is FlattenedJws {
  if (typeof payload !== "object" || payload === null) return false;
  const jws = payload as Partial<Record<keyof FlattenedJws, unknown>>;
  return typeof jws.signature === "string" && typeof jws.protected === "string" && typeof jws.payload === "string";
}

function refused(why: string, cause?: unknown): OcppError {
  return new OcppError("SecurityError", `signed message: ${why}`, { cause });
}

function decoded(text: string): unknown {
  return JSON.parse(Buffer.from(text, "base64url").toString()) as unknown;
}

/** Reads the protected header, which must speak of this very message. */
function readHeader(jws: FlattenedJws, action: string, type: SignedMessageType): ProtectedHeader {
  let header: Readonly<Record<string, unknown>>;
  try {
    header = (decoded(jws.protected) ?? {}) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw refused("the protected header cannot be read", cause);
  }
  const algorithm = ALGORITHMS.find((name) => name === header.alg);
  if (algorithm === undefined) throw refused("the algorithm is none of ES256, RS256 and RS384");
  if (header.OCPPAction !== action) throw refused("OCPPAction is not the action of the message");
  if (String(header.OCPPMessageTypedId) !== String(type)) {
    throw refused("OCPPMessageTypedId is not the type of the message");
  }
  const thumbprint = header["x5t#S256"];
  return { alg: algorithm, thumbprint: typeof thumbprint === "string" ? thumbprint : undefined };
}

/** Wraps and unwraps the messages of an endpoint. */
export class SignedMessages {
  readonly #options: SignedMessagesOptions;
  readonly #thumbprint: string | undefined;

  constructor(options: SignedMessagesOptions = {}) {
    this.#options = options;
    const { certificate } = options.signingKey ?? {};
    this.#thumbprint = certificate && createHash("sha256").update(certificate.raw).digest("base64url");
  }

  /** Whether there is a key to sign with. */
  get canSign(): boolean {
    return this.#options.signingKey !== undefined;
  }

  /** Whether this request goes out signed. */
  signs(identity: string, version: OcppVersion, action: string): boolean {
    if (this.#options.signingKey === undefined || !isFamily2(version)) return false;
    return this.#options.signs?.({ identity, version, action, direction: "request" }) ?? true;
  }

  /** Whether this message of the peer must be signed. */
  requires(identity: string, version: OcppVersion, action: string, direction: SignableMessage["direction"]): boolean {
    if (this.#options.requires === undefined || !isFamily2(version)) return false;
    try {
      return this.#options.requires({ identity, version, action, direction });
    } catch {
      // A rule that cannot decide must not open the door.
      return true;
    }
  }

  /** The payload as flattened JWS. @throws TypeError without a signing key */
  async sign(action: string, type: SignedMessageType, payload: unknown): Promise<FlattenedJws> {
    const { signingKey } = this.#options;
    if (signingKey === undefined) throw new TypeError("there is no key to sign with");
    const text = new TextEncoder().encode(JSON.stringify(payload));
    // Loaded with the first signature: most endpoints never see one.
    const { FlattenedSign } = await import("jose");
    const header = {
      alg: signingKey.algorithm,
      OCPPAction: action,
      OCPPMessageTypedId: type,
      ...(this.#thumbprint !== undefined && { "x5t#S256": this.#thumbprint }),
    };
    const jws = await new FlattenedSign(text).setProtectedHeader(header).sign(signingKey.privateKey);
    return { payload: jws.payload, protected: jws.protected ?? "", signature: jws.signature };
  }

  /**
   * The payload inside a flattened JWS, its signature verified when there is a way to find the key.
   *
   * @throws OcppError SecurityError when the header speaks of another message, or the signature is not good
   */
  async open(jws: unknown, message: SignableMessage, type: SignedMessageType): Promise<unknown> {
    if (!isFlattenedJws(jws)) throw new OcppError("FormatViolation", "a signed message is a flattened JWS");
    const header = readHeader(jws, message.action, type);
    if (this.#options.verificationKey !== undefined) await this.#verify(jws, message, header);
    try {
      return decoded(jws.payload);
    } catch (cause) {
      throw new OcppError("FormatViolation", "the payload of a signed message is not JSON", { cause });
    }
  }

  async #verify(jws: FlattenedJws, message: SignableMessage, { alg, thumbprint }: ProtectedHeader): Promise<void> {
    const key = await this.#options.verificationKey?.({ ...message, thumbprint, algorithm: alg });
    if (key === undefined) throw refused("nobody knows the key of the signer");
    const { flattenedVerify } = await import("jose");
    try {
      const { payload, protected: header, signature } = jws;
      const input: FlattenedJWSInput = { payload, protected: header, signature };
      await flattenedVerify(input, key, { algorithms: [alg] });
    } catch (cause) {
      throw refused("the signature is not good", cause);
    }
  }
}
