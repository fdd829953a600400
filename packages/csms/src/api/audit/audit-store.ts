import { type Kysely, sql } from "kysely";
import { type AuditEntry, type AuditRecord, chainAfter } from "./audit-record.ts";

/** Any number that no other advisory lock of this system uses. */
const AUDIT_CHAIN_LOCK = 7_026_002;

/** Restricts a list of audit records. */
export interface AuditQuery {
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  /** Only records with a smaller sequence. */
  readonly before?: number | undefined;
  readonly limit: number;
}

interface AuditRow {
  readonly sequence: string | number;
  readonly at: Date;
  readonly actor: string;
  readonly key_id: string | null;
  readonly role: string;
  readonly action: string;
  readonly target: string;
  readonly status: number;
  readonly request_id: string;
  readonly remote_address: string;
  readonly detail: string;
  readonly previous_hash: Buffer;
  readonly hash: Buffer;
}

/** The table of audit records. */
export class AuditStore {
  readonly #database: Kysely<unknown>;

  constructor(database: Kysely<unknown>) {
    this.#database = database;
  }

  /** Appends entries to the chain, all or none. A lock lets only one writer extend it at a time, whatever the process. */
  async append(entries: readonly AuditEntry[]): Promise<readonly AuditRecord[]> {
    return this.#database.transaction().execute(async (transaction) => {
      await sql`select pg_advisory_xact_lock(${sql.lit(AUDIT_CHAIN_LOCK)})`.execute(transaction);
      const { rows } = await sql<AuditRow>`
        select * from audit_record order by sequence desc limit 1`.execute(transaction);
      let previous = rows[0] === undefined ? undefined : toRecord(rows[0]);
      const records: AuditRecord[] = [];
      for (const entry of entries) {
        previous = chainAfter(previous, entry);
        records.push(previous);
      }
      for (const record of records) await insert(transaction, record);
      return records;
    });
  }

  /** Records newest first. */
  async list({ actor, action, before, limit }: AuditQuery): Promise<AuditRecord[]> {
    const { rows } = await sql<AuditRow>`
      select * from audit_record
      where ${actor === undefined ? sql`true` : sql`actor = ${actor}`}
        and ${action === undefined ? sql`true` : sql`action = ${action}`}
        and ${before === undefined ? sql`true` : sql`sequence < ${before}`}
      order by sequence desc limit ${limit}`.execute(this.#database);
    return rows.map(toRecord);
  }

  /** Records after a sequence, oldest first. */
  async after(sequence: number, limit: number): Promise<AuditRecord[]> {
    const { rows } = await sql<AuditRow>`
      select * from audit_record where sequence > ${sequence} order by sequence limit ${limit}`.execute(this.#database);
    return rows.map(toRecord);
  }
}

async function insert(transaction: Kysely<unknown>, record: AuditRecord): Promise<void> {
  await sql`
    insert into audit_record (sequence, at, actor, key_id, role, action, target, status, request_id, remote_address,
      detail, previous_hash, hash)
    values (${record.sequence}, ${record.at}, ${record.actor}, ${record.keyId ?? null}, ${record.role}, ${record.action},
      ${record.target}, ${record.status}, ${record.requestId}, ${record.remoteAddress}, ${record.detail},
      ${record.previousHash}, ${record.hash})`.execute(transaction);
}

function toRecord(row: AuditRow): AuditRecord {
  return {
    sequence: Number(row.sequence),
    at: row.at,
    actor: row.actor,
    keyId: row.key_id ?? undefined,
    role: row.role,
    action: row.action,
    target: row.target,
    status: row.status,
    requestId: row.request_id,
    remoteAddress: row.remote_address,
    detail: row.detail,
    previousHash: row.previous_hash,
    hash: row.hash,
  };
}
