import { createHmac, randomBytes } from "node:crypto";

/** Begins the text form of a secret, as Standard Webhooks has it. */
const SECRET_PREFIX = "whsec_";

/** The headers of a signed delivery, as Standard Webhooks names them. */
export interface SignedHeaders {
  readonly "webhook-id": string;
  /** Seconds since 1970, of this attempt. */
  readonly "webhook-timestamp": string;
  readonly "webhook-signature": string;
}

/** A new secret of 256 random bits. */
export function createSecret(): string {
  return SECRET_PREFIX + randomBytes(32).toString("base64");
}

/** Whether a text is a secret that can sign: `whsec_` and base64 of 24 to 64 bytes. */
export function isSecret(text: string): boolean {
  if (!/^whsec_[A-Za-z0-9+/]+={0,2}$/.test(text)) return false;
  const { length } = keyOf(text);
  return length >= 24 && length <= 64;
}

/**
 * Signs a body: `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`. The receiver computes the same and refuses
 * what does not fit, or whose timestamp is too old, which stops repeats of recorded deliveries.
 */
export function sign(secret: string, id: string, time: Date, body: string): SignedHeaders {
  const timestamp = String(Math.floor(time.getTime() / 1000));
  const signature = createHmac("sha256", keyOf(secret)).update(`${id}.${timestamp}.${body}`, "utf8").digest("base64");
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` };
}

function keyOf(secret: string): Buffer {
  return Buffer.from(secret.slice(SECRET_PREFIX.length), "base64");
}
