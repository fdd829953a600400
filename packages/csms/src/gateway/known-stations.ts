import type { OcppVersion } from "@polyphase/ocpp";

/** Whether a station may do business (1.6 §4.2; 2.x B01 to B03). */
export type RegistrationStatus = "Accepted" | "Pending" | "Rejected";

/**
 * How a station proves who it is. 0: not at all; 1: Basic without TLS; 2: Basic over TLS; 3: client certificate
 * over TLS (2.x A00; 1.6 security whitepaper §3).
 */
export type SecurityProfile = 0 | 1 | 2 | 3;

/** What the gateway needs to know of a station before and while it speaks. */
export interface KnownStation {
  readonly stationId: string;
  readonly registrationStatus: RegistrationStatus;
  /** The lowest profile with which the station may connect. */
  readonly securityProfile: SecurityProfile;
  /** Version to speak when the station offers no subprotocol. */
  readonly configuredVersion?: OcppVersion | undefined;
  /** As the last BootNotification told; the client certificate's common name must equal it (A00.FR.405). */
  readonly serialNumber?: string | undefined;
  readonly vendorName?: string | undefined;
  readonly model?: string | undefined;
}

/** The directory of stations as the gateway sees it. Lookups happen on every message and must be quick. */
export interface KnownStations {
  find(stationId: string): KnownStation | undefined;
  /**
   * A station connects that is not known. By the policy for unknown stations it is turned away (undefined, answered
   * with 404), or gets a record that is Pending or Accepted.
   */
  handleUnknown(
    stationId: string,
    facts: { readonly remoteAddress: string },
  ): KnownStation | undefined | Promise<KnownStation | undefined>;
  /** Stores the profile that the station must use from now on (A05.FR.07). */
  setSecurityProfile(stationId: string, securityProfile: SecurityProfile): Promise<void>;
}

/** Checks what stations prove themselves with. */
export interface StationCredentials {
  /**
   * Whether this password was verified lately, without the cost of a hash: true, or undefined when it must be
   * verified. Never false, so that a changed password is noticed by {@link verifyPassword}.
   */
  isVerified(stationId: string, password: Buffer): true | undefined;
  /** Verifies against the stored hash. False also when the station has no password. */
  verifyPassword(stationId: string, password: Buffer): Promise<boolean>;
  /** Common name that the station's client certificate must bear, where an operator has set one. */
  certificateCommonName(stationId: string): string | undefined;
}
