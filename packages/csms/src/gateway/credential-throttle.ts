import { type ElapsedMs, systemElapsedMs } from "../clock.ts";
import { peerNetwork } from "./peer-network.ts";

/** How many failures are forgiven. */
export interface ThrottleLimits {
  /** Failures of one identity from one address before it must wait; default 5. */
  readonly perIdentity?: number;
  /** Failures of one address, whatever identity, before it must wait; default 300. */
  readonly perAddress?: number;
  /** A failure is forgotten after this many milliseconds; default one minute. */
  readonly windowMs?: number;
  /** Addresses, and as many pairs of address and identity, remembered at most; the oldest are forgotten first; default 20,000. */
  readonly maxKeys?: number;
}

interface Failures {
  count: number;
  since: number;
}

/**
 * Slows down guessing. Failures are counted per address and identity together, so that guessing from elsewhere
 * cannot lock a station out, and per address with a generous limit, because many honest stations share one behind a
 * proxy. Of IPv6 a whole network of 64 bits counts as one address. Credentials that were verified lately must be let
 * through before asking here.
 */
export class CredentialThrottle {
  readonly #elapsedMs: ElapsedMs;
  readonly #perIdentity: number;
  readonly #perAddress: number;
  readonly #windowMs: number;
  readonly #maxKeys: number;
  readonly #ofPairs = new Map<string, Failures>();
  /** Apart, so that many identities cannot push out the count of the address that tries them. */
  readonly #ofAddresses = new Map<string, Failures>();

  constructor(limits: ThrottleLimits = {}, elapsedMs: ElapsedMs = systemElapsedMs) {
    this.#elapsedMs = elapsedMs;
    this.#perIdentity = limits.perIdentity ?? 5;
    this.#perAddress = limits.perAddress ?? 300;
    this.#windowMs = limits.windowMs ?? 60_000;
    this.#maxKeys = limits.maxKeys ?? 20_000;
  }

  /** Seconds to wait before another attempt is looked at; 0 when it may be made now. */
  waitS(address: string, identity: string): number {
    return Math.max(
      this.#waitS(this.#ofPairs.get(pairKey(address, identity)), this.#perIdentity),
      this.#waitS(this.#ofAddresses.get(peerNetwork(address)), this.#perAddress),
    );
  }

  /** Counts an attempt that failed. */
  failed(address: string, identity: string): void {
    this.#count(this.#ofPairs, pairKey(address, identity));
    this.#count(this.#ofAddresses, peerNetwork(address));
  }

  /** Forgets the failures of a station that has proven itself from this address. */
  succeeded(address: string, identity: string): void {
    this.#ofPairs.delete(pairKey(address, identity));
  }

  #waitS(failures: Failures | undefined, limit: number): number {
    if (failures === undefined || failures.count < limit) return 0;
    const leftMs = failures.since + this.#windowMs - this.#elapsedMs();
    return leftMs <= 0 ? 0 : Math.ceil(leftMs / 1000);
  }

  #count(counts: Map<string, Failures>, key: string): void {
    const now = this.#elapsedMs();
    const failures = counts.get(key);
    if (failures !== undefined && now < failures.since + this.#windowMs) {
      failures.count += 1;
      return;
    }
    counts.delete(key);
    counts.set(key, { count: 1, since: now });
    if (counts.size > this.#maxKeys) {
      const oldest = counts.keys().next();
      if (!oldest.done) counts.delete(oldest.value);
    }
  }
}

const pairKey = (address: string, identity: string) => `${peerNetwork(address)}\n${identity}`;
