import type { Clock } from "../clock.ts";
import type { ConfigurationStore } from "../configuration/configuration-store.ts";
import type { AuthorizationCache } from "./authorization-cache.ts";
import { type IdToken, isSameToken, type TokenStanding } from "./id-token.ts";
import type { LocalList } from "./local-list.ts";

/** Asks the CSMS about a token. @throws when it cannot be reached or does not answer */
export type AskCsms = (token: IdToken) => Promise<TokenStanding>;

/** Decides whether a token may charge: local list, cache, the CSMS and the offline policy in their order. */
export class Authorization {
  readonly list: LocalList;
  readonly cache: AuthorizationCache;
  readonly #configuration: ConfigurationStore;
  readonly #clock: Clock;
  readonly #isOnline: () => boolean;
  readonly #ask: AskCsms;

  constructor(options: {
    readonly list: LocalList;
    readonly cache: AuthorizationCache;
    readonly configuration: ConfigurationStore;
    readonly clock: Clock;
    readonly isOnline: () => boolean;
    readonly ask: AskCsms;
  }) {
    this.list = options.list;
    this.cache = options.cache;
    this.#configuration = options.configuration;
    this.#clock = options.clock;
    this.#isOnline = options.isOnline;
    this.#ask = options.ask;
  }

  /** What the station itself knows: the list goes before the cache (1.6 §3.5.1, C13). */
  local(token: IdToken): TokenStanding | undefined {
    const { settings } = this.#configuration;
    const listed = settings.localAuthListEnabled ? this.list.find(token) : undefined;
    if (listed !== undefined) {
      const expired = listed.expiresAt !== undefined && listed.expiresAt <= this.#clock.now();
      return expired ? { ...listed, status: "Expired" } : listed;
    }
    if (!settings.authCacheEnabled) return undefined;
    return this.cache.find(token, this.#clock.now(), settings.authCacheLifeTimeS);
  }

  /** The standing of a token that wants to start charging. Never throws: without an answer the offline policy decides. */
  async decide(token: IdToken): Promise<TokenStanding> {
    const { settings } = this.#configuration;
    if (token.type === "NoAuthorization" || !settings.authorizationEnabled) return { status: "Accepted" };
    const known = this.local(token);
    if (!this.#isOnline()) return this.#offline(known);
    if (settings.localPreAuthorize && known?.status === "Accepted") return known;
    try {
      const standing = await this.#ask(token);
      this.remember(token, standing);
      return standing;
    } catch {
      return this.#isOnline() ? { status: "Invalid" } : this.#offline(known);
    }
  }

  #offline(known: TokenStanding | undefined): TokenStanding {
    const { settings } = this.#configuration;
    if (known !== undefined) {
      return settings.localAuthorizeOffline ? known : { status: "Invalid" };
    }
    // C15: an unknown token may start a transaction offline when that is configured.
    return { status: settings.offlineTxForUnknownId ? "Accepted" : "Unknown" };
  }

  /** Keeps what the CSMS said, in whichever response it came. Tokens of the local list are not cached (1.6 §3.5.3). */
  remember(token: IdToken, standing: TokenStanding): void {
    const { settings } = this.#configuration;
    if (token.type === "NoAuthorization" || !settings.authCacheEnabled) return;
    if (settings.localAuthListEnabled && this.list.find(token) !== undefined) return;
    this.cache.remember(token, standing, this.#clock.now());
  }

  /** Whether `token` may end what `starter` began: the same token, the same group, or a master pass (E07, C16). */
  mayStop(token: IdToken, standing: TokenStanding | undefined, starter: IdToken, starterGroup?: IdToken): boolean {
    if (isSameToken(token, starter)) return true;
    if (standing?.status !== "Accepted" || standing.groupIdToken === undefined) return false;
    const master = this.#configuration.settings.masterPassGroupId;
    if (master !== "" && standing.groupIdToken.idToken === master) return true;
    return starterGroup !== undefined && isSameToken(standing.groupIdToken, starterGroup);
  }
}
