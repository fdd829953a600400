import type { Journal } from "../storage/journal.ts";
import { type IdToken, type TokenStanding, tokenKey } from "./id-token.ts";

/** One entry of SendLocalList; without a standing the token is to be removed (differential updates only). */
export interface LocalListEntry {
  readonly token: IdToken;
  readonly standing?: TokenStanding;
}

interface Stored {
  readonly version: number;
  readonly entries: Record<string, { token: IdToken; standing: TokenStanding }>;
}

/** The Local Authorization List (D01, D02; OCPP 1.6 §3.5.2), kept across restarts. */
export class LocalList {
  /** Most tokens that the list holds. */
  static readonly capacity = 2000;
  readonly #journal: Journal;
  #version: number;
  #entries: Map<string, { token: IdToken; standing: TokenStanding }>;

  constructor(journal: Journal) {
    this.#journal = journal;
    const stored = journal.get("localList") as Stored | undefined;
    this.#version = stored?.version ?? 0;
    this.#entries = new Map(Object.entries(stored?.entries ?? {}));
  }

  /** 0 while there is no list. */
  get version(): number {
    return this.#version;
  }

  get size(): number {
    return this.#entries.size;
  }

  find(token: IdToken): TokenStanding | undefined {
    return this.#entries.get(tokenKey(token))?.standing;
  }

  /** Installs a full or differential update; a differential one needs a version above the present one (D01.FR.05). */
  update(
    type: "Full" | "Differential",
    version: number,
    entries: readonly LocalListEntry[],
  ): "Accepted" | "Failed" | "VersionMismatch" {
    const keys = new Set(entries.map((entry) => tokenKey(entry.token)));
    if (keys.size !== entries.length) return "Failed";
    if (type === "Full" && entries.some((entry) => entry.standing === undefined)) return "Failed";
    if (type === "Differential" && version <= this.#version) return "VersionMismatch";
    const next = new Map(type === "Full" ? [] : this.#entries);
    for (const { token, standing } of entries) {
      if (standing === undefined) next.delete(tokenKey(token));
      else next.set(tokenKey(token), { token, standing });
    }
    if (next.size > LocalList.capacity) return "Failed";
    this.#entries = next;
    this.#version = version;
    this.#journal.write({ set: { localList: { version, entries: Object.fromEntries(next) } satisfies Stored } });
    return "Accepted";
  }
}
