import { hash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Kysely } from "kysely";
import type { Clock } from "../../clock.ts";
import type { GroupCommit, WriteUnit } from "../../database/write-unit.ts";
import type { StationCredentials } from "../../gateway/known-stations.ts";
import { SerialTasks } from "../../serial-tasks.ts";
import { hashPassword, matchesHash } from "./password-hash.ts";
import { type CredentialsRow, deleteCredentials, readCredentials, upsertCredentials } from "./store.ts";

/** What may be told of a station's credentials: never the password or its hash. */
export interface CredentialsSummary {
  readonly hasPassword: boolean;
  readonly certificateCommonName: string | undefined;
  readonly changedAt: Date | undefined;
}

/** A change to the credentials of a station; what is undefined stays. */
export interface CredentialsChange {
  readonly password?: Buffer | undefined;
  /** null removes it. */
  readonly certificateCommonName?: string | null | undefined;
  /** The present password stays valid until the new one has been used. */
  readonly keepsPrevious?: boolean;
}

/**
 * The credentials of all stations, in memory; the truth is the table. A password that was verified is remembered as
 * a digest under a key that only this process has, so that a storm of reconnects hashes each password once.
 */
export class StoredCredentials implements StationCredentials {
  readonly #database: Kysely<unknown>;
  readonly #groupCommit: GroupCommit;
  readonly #clock: Clock;
  readonly #rows = new Map<string, CredentialsRow>();
  readonly #verified = new Map<string, Buffer>();
  readonly #key = randomBytes(32);
  /** Changes of one station follow each other, so that each starts from the one before. */
  readonly #changes = new SerialTasks();

  constructor(options: { database: Kysely<unknown>; groupCommit: GroupCommit; clock: Clock }) {
    this.#database = options.database;
    this.#groupCommit = options.groupCommit;
    this.#clock = options.clock;
  }

  async load(): Promise<void> {
    for (const row of await readCredentials(this.#database)) this.#rows.set(row.station_id, row);
  }

  isVerified(stationId: string, password: Buffer): true | undefined {
    const verified = this.#verified.get(stationId);
    return verified !== undefined && timingSafeEqual(verified, this.#digest(stationId, password)) ? true : undefined;
  }

  async verifyPassword(stationId: string, password: Buffer): Promise<boolean> {
    const row = this.#rows.get(stationId);
    if (row === undefined || row.password_hash === null) return false;
    if (await matchesHash(row.password_hash, password)) {
      if (row.previous_password_hash !== null) await this.#forgetPrevious(row);
      this.#remember(row, stationId, password);
      return true;
    }
    const { previous_password_hash: previous } = row;
    return previous !== null && (await matchesHash(previous, password));
  }

  certificateCommonName(stationId: string): string | undefined {
    return this.#rows.get(stationId)?.certificate_common_name ?? undefined;
  }

  summary(stationId: string): CredentialsSummary {
    const row = this.#rows.get(stationId);
    return {
      hasPassword: (row?.password_hash ?? null) !== null,
      certificateCommonName: row?.certificate_common_name ?? undefined,
      changedAt: row?.changed_at,
    };
  }

  /** Stores new credentials; they count from then on. */
  async change(stationId: string, change: CredentialsChange): Promise<void> {
    const { password, certificateCommonName, keepsPrevious = false } = change;
    const passwordHash = password === undefined ? undefined : await hashPassword(password);
    await this.#changes.run(stationId, async () => {
      const before = this.#rows.get(stationId);
      const present = before?.password_hash ?? null;
      await this.#store({
        station_id: stationId,
        password_hash: passwordHash ?? present,
        previous_password_hash:
          passwordHash === undefined ? (before?.previous_password_hash ?? null) : keepsPrevious ? present : null,
        certificate_common_name:
          certificateCommonName === undefined ? (before?.certificate_common_name ?? null) : certificateCommonName,
        changed_at: this.#clock.now(),
      });
    });
  }

  /** The station has used its new password. */
  async #forgetPrevious({ station_id: stationId, password_hash: used }: CredentialsRow): Promise<void> {
    await this.#changes.run(stationId, async () => {
      const row = this.#rows.get(stationId);
      if (row?.password_hash === used) await this.#store({ ...row, previous_password_hash: null });
    });
  }

  /** Removes all credentials of a station. */
  async remove(stationId: string): Promise<void> {
    await this.#changes.run(stationId, async () => {
      const unit = this.#groupCommit.unit();
      const forget = this.removeIn(stationId, unit);
      await unit.commit();
      forget();
    });
  }

  /** Removes them with a unit of somebody else; returns what to do after its commit. */
  removeIn(stationId: string, unit: WriteUnit): () => void {
    unit.add(deleteCredentials, { station_id: stationId });
    return () => {
      this.#rows.delete(stationId);
      this.#verified.delete(stationId);
    };
  }

  async #store(row: CredentialsRow): Promise<void> {
    await this.#groupCommit.unit().add(upsertCredentials, row).commit();
    this.#rows.set(row.station_id, row);
    this.#verified.delete(row.station_id);
  }

  /** Only what is still the password: it may have been changed while the hash was computed. */
  #remember(verified: CredentialsRow, stationId: string, password: Buffer): void {
    if (this.#rows.get(stationId)?.password_hash !== verified.password_hash) return;
    this.#verified.set(stationId, this.#digest(stationId, password));
  }

  #digest(stationId: string, password: Buffer): Buffer {
    // In one call, at a fifth of what an HMAC costs: SOAP asks for it with each request. The key is of fixed length and
    // nobody sees a digest, so that a plain hash behind it serves as well.
    return hash("sha256", Buffer.concat([this.#key, Buffer.from(`${stationId}\0`), password]), "buffer");
  }
}
