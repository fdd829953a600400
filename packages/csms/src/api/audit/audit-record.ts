import { createHash } from "node:crypto";

/** An operator's action as the API saw it. */
export interface AuditEntry {
  /** When it was answered. */
  readonly at: Date;
  /** Name of the caller. */
  readonly actor: string;
  /** Id of the caller's API key; absent for the configured token. */
  readonly keyId?: string | undefined;
  readonly role: string;
  /** Operation id of the route. */
  readonly action: string;
  /** Path of the request, without its query. */
  readonly target: string;
  /** HTTP status of the answer: the outcome. */
  readonly status: number;
  readonly requestId: string;
  readonly remoteAddress: string;
  /** Facts that the route added. */
  readonly detail: Readonly<Record<string, unknown>>;
}

/** An entry in its place in the chain. */
export interface AuditRecord extends Omit<AuditEntry, "detail"> {
  /** 1 for the first record, without gaps. */
  readonly sequence: number;
  /** JSON text, kept as it was hashed. */
  readonly detail: string;
  readonly previousHash: Buffer;
  readonly hash: Buffer;
}

/** What the first record has as its previous hash. */
export const FIRST_HASH = Buffer.alloc(32);

/** Puts an entry after another record. */
export function chainAfter(
  previous: Pick<AuditRecord, "sequence" | "hash"> | undefined,
  entry: AuditEntry,
): AuditRecord {
  const unhashed = {
    at: entry.at,
    actor: storable(entry.actor),
    keyId: entry.keyId,
    role: storable(entry.role),
    action: storable(entry.action),
    target: storable(entry.target),
    status: entry.status,
    requestId: storable(entry.requestId),
    remoteAddress: storable(entry.remoteAddress),
    sequence: (previous?.sequence ?? 0) + 1,
    detail: JSON.stringify(entry.detail),
    previousHash: previous?.hash ?? FIRST_HASH,
  };
  return { ...unhashed, hash: hashOf(unhashed) };
}

/** Text as PostgreSQL gives it back: it knows neither NUL nor halves of surrogate pairs. */
function storable(text: string): string {
  return text.replace(/\0|\p{Surrogate}/gu, "\ufffd");
}

/**
 * SHA-256 of the previous hash and the record's values as a JSON array in fixed order. Changing, removing or inserting
 * a record breaks the hash of it or of the next.
 */
export function hashOf(record: Omit<AuditRecord, "hash">): Buffer {
  const values = [
    record.sequence,
    record.at.toISOString(),
    record.actor,
    record.keyId ?? null,
    record.role,
    record.action,
    record.target,
    record.status,
    record.requestId,
    record.remoteAddress,
    record.detail,
  ];
  return createHash("sha256").update(record.previousHash).update(JSON.stringify(values), "utf8").digest();
}
