import type { OcppVersion } from "@polyphase/ocpp";

/** How a station of the fleet speaks. */
export interface FleetKind {
  readonly version: OcppVersion;
  readonly transport: "OCPP-J" | "OCPP-S";
}

const json = (version: OcppVersion): FleetKind => ({ version, transport: "OCPP-J" });
const soap = (version: OcppVersion): FleetKind => ({ version, transport: "OCPP-S" });

/** Twenty stations of a fleet as one finds it: mostly 1.6, then 2.0.1 and 2.1, and some that speak SOAP. */
const mix: readonly FleetKind[] = [
  ...Array.from({ length: 8 }, () => json("1.6")),
  ...Array.from({ length: 6 }, () => json("2.0.1")),
  ...Array.from({ length: 4 }, () => json("2.1")),
  soap("1.5"),
  soap("1.6"),
];

/** How the station with this number speaks: versions follow each other, so that any part of the fleet is mixed. */
export function kindOf(index: number): FleetKind {
  return mix[(index * 7) % mix.length] ?? json("1.6");
}

/** What a fleet is to be; see fleet.ts. */
export interface FleetSetting {
  readonly port: number;
  readonly prefix: string;
  readonly stations: number;
  readonly withPassword: boolean;
  /** Leaves out stations that speak SOAP, which keep no connection. */
  readonly onlyJson: boolean;
}

/** What a fleet can be told. */
export type FleetOrder =
  /** All connect at once, boot and report the status of their connectors. */
  | { readonly do: "boot" }
  /** So many stations fall silent without closing their sockets; answered when the server has closed the last. */
  | { readonly do: "die"; readonly stations: number; readonly patienceS: number };

/** How a boot storm went. */
export interface StormReport {
  /** Until the last station was accepted and its status taken. */
  readonly seconds: number;
  /** The same for the first half of the stations. */
  readonly halfSeconds: number;
  /** Handshakes and requests that were refused or lost, and made again. */
  readonly refused: number;
  /** BootNotifications that were answered Pending, and made again. */
  readonly deferred: number;
  /** Stations that gave up. */
  readonly failed: number;
}

/** Seconds after which each dead station was let go. */
export interface DeathReport {
  readonly noticedAfterS: readonly number[];
}
