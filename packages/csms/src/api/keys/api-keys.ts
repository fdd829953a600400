import { createHash, randomBytes, randomUUID, timingSafeEqual } from "node:crypto";
import type { Logger } from "pino";
import type { Clock } from "../../clock.ts";
import type { Credentials } from "../authentication.ts";
import { conflict, notFound } from "../problem.ts";
import type { Caller, Role } from "../roles.ts";
import type { ApiKey, ApiKeyStore } from "./api-key-store.ts";

/** Begins every token, so that people and scanners for leaked secrets recognise one. */
const TOKEN_PREFIX = "ppk_";

/** Name of the caller that the token in the configuration stands for. */
const ADMIN_TOKEN_NAME = "admin-token";

/** What an {@link ApiKeys} needs. */
export interface ApiKeysOptions {
  readonly store: ApiKeyStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** `POLYPHASE_ADMIN_TOKEN`. */
  readonly adminToken?: string | undefined;
  /** How often the time of last use is written; default one minute. */
  readonly noteIntervalMs?: number;
}

/** What a new key is made of. */
export interface NewApiKey {
  readonly name: string;
  readonly role: Role;
  readonly expiresAt?: Date | undefined;
  readonly createdBy: string;
}

interface Entry {
  key: ApiKey;
  readonly tokenHash: string;
}

/**
 * The bearer tokens of the API. All keys are in memory, so a request costs no query; the table is their truth.
 *
 * A token is 256 random bits, so its SHA-256 is stored: there is nothing to guess, and a slow hash, which makes
 * guessing of chosen passwords dear, would only slow down every request.
 */
export class ApiKeys implements Credentials {
  readonly #store: ApiKeyStore;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #adminTokenHash: Buffer | undefined;
  readonly #byHash = new Map<string, Entry>();
  readonly #byId = new Map<string, Entry>();
  readonly #used = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  constructor({ store, clock, log, adminToken, noteIntervalMs = 60_000 }: ApiKeysOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#adminTokenHash = adminToken === undefined ? undefined : sha256(adminToken);
    this.#timer = setInterval(() => void this.#noteUse(), noteIntervalMs);
    this.#timer.unref();
  }

  /** Reads all keys. */
  async load(): Promise<void> {
    const stored = await this.#store.all();
    this.#byHash.clear();
    this.#byId.clear();
    for (const entry of stored) this.#keep(entry);
  }

  /** Writes what is only in memory yet. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#noteUse();
  }

  callerOfKey(token: string): Caller | undefined {
    // Looking up a digest tells nothing of use to one who measures time: the digest cannot be chosen.
    const entry = this.#byHash.get(sha256(token).toString("hex"));
    if (entry === undefined || this.#isExpired(entry.key)) return undefined;
    entry.key = { ...entry.key, lastUsedAt: this.#clock.now() };
    this.#used.add(entry.key.id);
    return { name: entry.key.name, role: entry.key.role, keyId: entry.key.id };
  }

  callerOfAdminToken(token: string): Caller | undefined {
    if (this.#adminTokenHash === undefined || !timingSafeEqual(sha256(token), this.#adminTokenHash)) return undefined;
    return { name: ADMIN_TOKEN_NAME, role: "administrator" };
  }

  /** Whether a caller that was authenticated before still would be. */
  isStillAllowed({ keyId }: Caller): boolean {
    if (keyId === undefined) return true;
    const entry = this.#byId.get(keyId);
    return entry !== undefined && !this.#isExpired(entry.key);
  }

  /** Whether anyone can administer this system. */
  hasAdministrator(): boolean {
    return this.#adminTokenHash !== undefined || this.#administrators().length > 0;
  }

  /** All keys, oldest first. */
  list(): readonly ApiKey[] {
    return [...this.#byId.values()]
      .map(({ key }) => key)
      .sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime() || a.id.localeCompare(b.id));
  }

  /** Makes a key. The token is returned this once and cannot be found again. */
  async create({ name, role, expiresAt, createdBy }: NewApiKey): Promise<{ key: ApiKey; token: string }> {
    const token = TOKEN_PREFIX + randomBytes(32).toString("base64url");
    const key: ApiKey = { id: randomUUID(), name, role, createdAt: this.#clock.now(), createdBy, expiresAt };
    const entry = { key, tokenHash: sha256(token).toString("hex") };
    await this.#store.insert(entry);
    this.#keep(entry);
    return { key, token };
  }

  /**
   * Deletes a key: its token is refused from now on.
   *
   * @throws ProblemError 404 when there is none, 409 when nobody could administer the system without it
   */
  async delete(id: string): Promise<void> {
    const entry = this.#byId.get(id);
    if (entry === undefined) throw notFound("API key", id);
    const isLast = this.#administrators().every((key) => key.id === id) && entry.key.role === "administrator";
    if (this.#adminTokenHash === undefined && isLast && !this.#isExpired(entry.key)) {
      throw conflict("this is the last administrator key; create another one first");
    }
    // Before waiting, so that two requests at once cannot both leave the other's key to administer with.
    this.#byId.delete(id);
    this.#byHash.delete(entry.tokenHash);
    try {
      await this.#store.delete(id);
    } catch (error) {
      this.#keep(entry);
      throw error;
    }
  }

  #keep(entry: Entry): void {
    this.#byHash.set(entry.tokenHash, entry);
    this.#byId.set(entry.key.id, entry);
  }

  #administrators(): ApiKey[] {
    return this.list().filter((key) => key.role === "administrator" && !this.#isExpired(key));
  }

  #isExpired({ expiresAt }: ApiKey): boolean {
    return expiresAt !== undefined && expiresAt.getTime() <= this.#clock.now().getTime();
  }

  async #noteUse(): Promise<void> {
    const uses = [...this.#used].flatMap((id) => {
      const at = this.#byId.get(id)?.key.lastUsedAt;
      return at === undefined ? [] : [{ id, at }];
    });
    this.#used.clear();
    if (uses.length === 0) return;
    try {
      await this.#store.noteUse(uses);
    } catch (error) {
      for (const { id } of uses) this.#used.add(id);
      this.#log.warn({ err: error }, "the last use of API keys cannot be stored now");
    }
  }
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text, "utf8").digest();
}
