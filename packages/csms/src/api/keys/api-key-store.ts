import { type Kysely, sql } from "kysely";
import type { Role } from "../roles.ts";

/** An API key as it is stored; the token itself is not. */
export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly createdAt: Date;
  readonly createdBy: string;
  readonly expiresAt?: Date | undefined;
  readonly lastUsedAt?: Date | undefined;
}

/** An API key with the hash of its token, in hexadecimal. */
export interface HashedApiKey {
  readonly key: ApiKey;
  readonly tokenHash: string;
}

interface ApiKeyRow {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly token_hash: Buffer;
  readonly created_at: Date;
  readonly created_by: string;
  readonly expires_at: Date | null;
  readonly last_used_at: Date | null;
}

/** The table of API keys. */
export class ApiKeyStore {
  readonly #database: Kysely<unknown>;

  constructor(database: Kysely<unknown>) {
    this.#database = database;
  }

  async all(): Promise<HashedApiKey[]> {
    const { rows } = await sql<ApiKeyRow>`select * from api_key`.execute(this.#database);
    return rows.map((row) => ({
      tokenHash: row.token_hash.toString("hex"),
      key: {
        id: row.id,
        name: row.name,
        role: row.role,
        createdAt: row.created_at,
        createdBy: row.created_by,
        expiresAt: row.expires_at ?? undefined,
        lastUsedAt: row.last_used_at ?? undefined,
      },
    }));
  }

  async insert({ key, tokenHash }: HashedApiKey): Promise<void> {
    await sql`
      insert into api_key (id, name, role, token_hash, created_at, created_by, expires_at)
      values (${key.id}, ${key.name}, ${key.role}, ${Buffer.from(tokenHash, "hex")}, ${key.createdAt}, ${key.createdBy},
        ${key.expiresAt ?? null})`.execute(this.#database);
  }

  async delete(id: string): Promise<void> {
    await sql`delete from api_key where id = ${id}`.execute(this.#database);
  }

  /** Notes when keys were last used. */
  async noteUse(uses: readonly { id: string; at: Date }[]): Promise<void> {
    await sql`
      update api_key set last_used_at = used.at
      from unnest(${uses.map(({ id }) => id)}::uuid[], ${uses.map(({ at }) => at)}::timestamptz[]) as used (id, at)
      where api_key.id = used.id`.execute(this.#database);
  }
}
