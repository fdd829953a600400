import type { AnyConnection } from "../connection.ts";
import type { Timers } from "../endpoint/timers.ts";
import { type CallSettings, SoapConnection, type SoapDisconnection } from "./soap-connection.ts";
import type { SoapVersion } from "./soap-version.ts";

/**
 * A station as the CSMS of OCPP-S knows it. Asking for its `version` tells the compiler which actions it has, as with
 * {@link AnyConnection}.
 */
export type SoapPeer = AnyConnection<"CSMS", SoapVersion> & {
  /** Where calls go: the address of the station's last `From`. Undefined until one is known. */
  readonly address: string | undefined;
};

/** What `onConnect` learns of the decision about the first request. */
export interface AcceptedRequest {
  /** What `authenticate` handed on; undefined for a connection that we opened ourselves. */
  readonly context: unknown;
}

/** Who wants to know about stations. */
export interface StationEvents {
  onConnect?(connection: SoapPeer, accepted: AcceptedRequest): void;
  onAddress?(connection: SoapPeer, address: string): void;
  onDisconnect?(connection: SoapPeer, ended: SoapDisconnection): void;
}

/** What a request tells of its station. */
export interface Contact {
  readonly identity: string;
  readonly version: SoapVersion;
  readonly remoteAddress: string;
  /** The address of `From`, if there is one that may be called. */
  readonly address: URL | undefined;
  readonly context: unknown;
}

interface Entry {
  readonly connection: SoapConnection<SoapVersion, "CSMS">;
  lastSeenMs: number;
}

/** The types of actions differ from version to version; at run time every connection can do what any can. */
function asPeer(connection: SoapConnection<SoapVersion, "CSMS">): SoapPeer {
  return connection as unknown as SoapPeer;
}

/** Who has sent something, in which version, from which address, and how long ago. */
export class StationRegistry {
  readonly #calls: CallSettings;
  readonly #events: StationEvents;
  readonly #timers: Timers;
  readonly #silenceMs: number;
  readonly #entries = new Map<string, Entry>();
  readonly #peers = new Map<string, SoapPeer>();
  #cancelCheck: (() => void) | undefined;

  /** @param silenceMs After how long without a request a station counts as gone; 0 for never. */
  constructor(calls: CallSettings, events: StationEvents, timers: Timers, silenceMs: number) {
    this.#calls = calls;
    this.#events = events;
    this.#timers = timers;
    this.#silenceMs = silenceMs;
  }

  /** The newest connection of every identity. */
  get peers(): ReadonlyMap<string, SoapPeer> {
    return this.#peers;
  }

  /** The station's connection, made anew for a station that is new or speaks another version than before. */
  contact(contact: Contact, rememberedAddress: () => URL | undefined): SoapPeer {
    const { identity, version, remoteAddress, address } = contact;
    const entry = this.#entries.get(identity);
    if (entry?.connection.version !== version) {
      const peer = this.#connect({ ...contact, address: address ?? rememberedAddress() });
      if (address !== undefined) this.#tell(identity, () => this.#events.onAddress?.(peer, address.href));
      return peer;
    }
    const { connection } = entry;
    entry.lastSeenMs = this.#timers.elapsedMs();
    connection.remoteAddress = remoteAddress;
    if (address !== undefined && connection.address !== address.href) {
      connection.moveTo(address);
      this.#tell(identity, () => this.#events.onAddress?.(asPeer(connection), address.href));
    }
    return asPeer(connection);
  }

  /** A connection to a station that need not have sent anything. */
  open(identity: string, version: SoapVersion, rememberedAddress: () => URL | undefined): SoapPeer | undefined {
    const present = this.#peers.get(identity);
    if (present?.version === version) return present;
    const address = rememberedAddress();
    if (address === undefined) return undefined;
    return this.#connect({ identity, version, remoteAddress: address.hostname, address, context: undefined });
  }

  /** Ends all connections. */
  async close(reason: string, graceMs: number): Promise<void> {
    this.#cancelCheck?.();
    await Promise.all([...this.#entries.values()].map(({ connection }) => connection.end({ reason }, graceMs)));
    this.#cancelCheck?.();
  }

  #connect({ identity, version, remoteAddress, address, context }: Contact): SoapPeer {
    const replaced = this.#entries.get(identity)?.connection;
    const connection: SoapConnection<SoapVersion, "CSMS"> = new SoapConnection(
      "CSMS",
      { identity, version, remoteAddress, address },
      this.#calls,
      (ended) => this.#disconnected(connection, ended),
    );
    const peer = asPeer(connection);
    this.#entries.set(identity, { connection, lastSeenMs: this.#timers.elapsedMs() });
    this.#peers.set(identity, peer);
    if (replaced !== undefined) void replaced.end({ reason: `now speaks OCPP ${version}`, replacedBy: true }, 0);
    this.#tell(identity, () => this.#events.onConnect?.(peer, { context }));
    if (this.#silenceMs > 0 && this.#cancelCheck === undefined) this.#scheduleCheck();
    return peer;
  }

  #disconnected(connection: SoapConnection<SoapVersion, "CSMS">, ended: SoapDisconnection): void {
    const { identity } = connection;
    if (this.#entries.get(identity)?.connection === connection) {
      this.#entries.delete(identity);
      this.#peers.delete(identity);
    }
    this.#tell(identity, () => this.#events.onDisconnect?.(asPeer(connection), ended));
  }

  /** Runs a callback of the caller's; what it throws is reported and harms nothing. */
  #tell(identity: string, callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.#calls.observer?.failed?.({ identity, action: "", error });
    }
  }

  #scheduleCheck(): void {
    this.#cancelCheck = this.#timers.after(this.#silenceMs / 10, () => {
      this.#cancelCheck = undefined;
      const limit = this.#timers.elapsedMs() - this.#silenceMs;
      for (const { connection, lastSeenMs } of [...this.#entries.values()]) {
        if (lastSeenMs <= limit) void connection.end({ reason: `silent for ${this.#silenceMs} ms` }, 0);
      }
      if (this.#entries.size > 0 && this.#cancelCheck === undefined) this.#scheduleCheck();
    });
  }
}
