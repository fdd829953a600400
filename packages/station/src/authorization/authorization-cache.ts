import type { Journal } from "../storage/journal.ts";
import { type IdToken, type TokenStanding, tokenKey } from "./id-token.ts";

/** The Authorization Cache (C10 to C12; OCPP 1.6 §3.5.1): what the CSMS said of tokens, kept across restarts. */
export class AuthorizationCache {
  /** Most tokens that are remembered; the one seen longest ago makes room. */
  static readonly capacity = 200;
  readonly #journal: Journal;
  readonly #entries: Map<string, TokenStanding & { readonly seenAt: number }>;

  constructor(journal: Journal) {
    this.#journal = journal;
    const stored = journal.get("cache") as Record<string, TokenStanding & { seenAt: number }> | undefined;
    this.#entries = new Map(Object.entries(stored ?? {}));
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * What the cache knows of a token at a moment.
   *
   * @param lifeTimeS entries older than this are void; 0 for no limit
   */
  find(token: IdToken, now: number, lifeTimeS: number): TokenStanding | undefined {
    const entry = this.#entries.get(tokenKey(token));
    if (entry === undefined) return undefined;
    if (lifeTimeS > 0 && now - entry.seenAt > lifeTimeS * 1000) return undefined;
    if (entry.expiresAt !== undefined && entry.expiresAt <= now) return undefined;
    return entry;
  }

  /** Remembers what the CSMS said; writes only when it changed. */
  remember(token: IdToken, standing: TokenStanding, now: number): void {
    const key = tokenKey(token);
    const known = this.#entries.get(key);
    this.#entries.delete(key);
    this.#entries.set(key, { ...standing, seenAt: now });
    const oldest = this.#entries.keys().next().value;
    if (this.#entries.size > AuthorizationCache.capacity && oldest !== undefined) this.#entries.delete(oldest);
    if (known === undefined || known.status !== standing.status || known.expiresAt !== standing.expiresAt) this.#save();
  }

  forget(token: IdToken): boolean {
    const found = this.#entries.delete(tokenKey(token));
    if (found) this.#save();
    return found;
  }

  clear(): void {
    this.#entries.clear();
    this.#save();
  }

  #save(): void {
    this.#journal.write({ set: { cache: Object.fromEntries(this.#entries) } });
  }
}
