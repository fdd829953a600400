import { randomBytes } from "node:crypto";
import type { Clock } from "../../../clock.ts";

/**
 * Makes UUIDs of version 7 (RFC 9562): they sort by the time they were made, which keeps the index of events compact.
 *
 * @param random gives as many random bytes as it is asked for
 */
export function uuidV7(clock: Clock, random: (size: number) => Uint8Array = randomBytes): () => string {
  return () => {
    const bytes = new Uint8Array(16);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(clock.now().getTime()) << 16n);
    bytes.set(random(10), 6);
    bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
    bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
    const hex = Buffer.from(bytes).toString("hex");
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  };
}
