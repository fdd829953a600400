import { join } from "node:path";
import type { OcppVersion } from "@polyphase/ocpp";
import type { Clock } from "./clock.ts";
import type { Settings } from "./configuration/settings.ts";
import { acSupply, type Supply } from "./evse/electrical.ts";
import type { StationIdentity } from "./identity.ts";
import { FileJournalStorage, type JournalStorage, noJournalStorage } from "./storage/journal-storage.ts";
import type { LinkOptions, LinkTls } from "./transport/link.ts";

/** A version as users name it: 1.6S is 1.6 over SOAP; 1.2 and 1.5 are SOAP unless the address is a WebSocket's. */
export type StationVersion = OcppVersion | "1.6S";

/** The names of {@link StationVersion}. */
export const stationVersions: readonly StationVersion[] = ["1.2", "1.5", "1.6S", "1.6", "2.0.1", "2.1"];

/** What a simulated station is like. */
export interface SimulatedStationOptions {
  /** Identity at the CSMS. */
  readonly id: string;
  readonly version: StationVersion;
  /** `ws://host:9000/ocpp` or `http://host:9000/ocpp/soap`; the scheme decides the transport. */
  readonly csmsUrl: string;
  /** How many EVSEs, or what each of them can deliver; one AC EVSE of 22 kW by default. */
  readonly evses?: number | readonly Supply[];
  /** The same seed gives the same vehicles, voltages and waits; the id by default. */
  readonly seed?: string | number;
  /** Simulated seconds per real second; 1 by default. Not together with `clock`. */
  readonly timeScale?: number;
  /** Simulated time; shared by the stations of a fleet, or moved by hand in tests. */
  readonly clock?: Clock;
  /** Directory for what survives a restart, one file per station; nothing survives when absent. */
  readonly dataDir?: string;
  /** Where what survives a restart is kept, in place of `dataDir`. */
  readonly storage?: JournalStorage;
  /** Wait for the disk at every transaction message (fsync); true by default. */
  readonly flush?: boolean;
  /** Password for HTTP Basic authentication. */
  readonly password?: string | Buffer;
  readonly tls?: LinkTls;
  /** Type of tokens that are presented as plain text (2.x); ISO14443 by default. */
  readonly idTokenType?: string;
  /** Settings that differ from those of a new station; the CSMS can change them. */
  readonly settings?: Partial<Settings>;
  readonly identity?: Partial<StationIdentity>;
  /** Set the clock by the CSMS's time; by default only when simulated time is real time. */
  readonly synchronizeClock?: boolean;
  /** Simulated milliseconds that a reboot takes; 1,000 by default. */
  readonly rebootDurationMs?: number;
  /** Real milliseconds to wait for a response, whatever MessageTimeout says; that (30 s) by default. */
  readonly callTimeoutMs?: number;
  /** Waits between attempts to connect, in real time; by default those of RetryBackOff, which start at 1 s. */
  readonly backOff?: NonNullable<LinkOptions["backOff"]>;
  /** Where a SOAP station listens; a free port of the loopback interface by default. */
  readonly listen?: { readonly port: number; readonly host?: string };
  /** Address under which the CSMS reaches a SOAP station. */
  readonly publicUrl?: string;
  /** How many of the latest transaction messages the ledger remembers; 10,000 by default. */
  readonly ledgerSize?: number;
}

/** The transport that the address asks for. @throws RangeError when the version does not have it */
export function transportOf(options: SimulatedStationOptions): "OCPP-J" | "OCPP-S" {
  const transport = /^https?:/i.test(options.csmsUrl) ? "OCPP-S" : "OCPP-J";
  const { version } = options;
  if (transport === "OCPP-S" && (version === "2.0.1" || version === "2.1")) {
    throw new RangeError(`OCPP ${version} has no SOAP: give a ws: or wss: address`);
  }
  if (transport === "OCPP-J" && version === "1.6S")
    throw new RangeError("1.6S is SOAP: give an http: or https: address");
  return transport;
}

/** The security profile of 2.x that the address and the certificate amount to. */
export function securityProfileOf(options: SimulatedStationOptions): number {
  if (!/^wss:/i.test(options.csmsUrl)) return 1;
  return options.tls?.cert === undefined ? 2 : 3;
}

/** What each EVSE can deliver. @throws RangeError when there are none */
export function suppliesOf(evses: number | readonly Supply[] = 1): readonly Supply[] {
  const supplies = typeof evses === "number" ? Array.from({ length: evses }, () => acSupply) : evses;
  if (supplies.length === 0) throw new RangeError("a station has at least one EVSE");
  return supplies;
}

/** Where the station keeps what survives a restart. */
export function storageOf(options: SimulatedStationOptions): JournalStorage {
  const { dataDir, id, flush, storage } = options;
  if (storage !== undefined) return storage;
  if (dataDir === undefined) return noJournalStorage;
  const file = join(dataDir, `${encodeURIComponent(id)}.jsonl`);
  return new FileJournalStorage(file, flush === undefined ? {} : { flush });
}
