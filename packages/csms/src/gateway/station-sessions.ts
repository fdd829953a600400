import type { Connection, OcppVersion } from "@polyphase/ocpp";
import type { Clock } from "../clock.ts";
import type { SecurityProfile } from "./known-stations.ts";
import type { PresenceRecord } from "./presence-record.ts";
import type { Family, StationSession } from "./station-messages.ts";

/** A connection of ours to a station of any version. */
export type StationConnection = Connection<OcppVersion, "CSMS">;

/** The family of a version. */
export function familyOf(version: OcppVersion): Family {
  return version === "2.0.1" || version === "2.1" ? 2 : 1;
}

/** The newest connection of a station and what the gateway remembers of it. */
export class ConnectedStation implements StationSession {
  readonly connection: StationConnection;
  readonly family: Family;
  readonly connectedAt: Date;
  readonly securityProfile: SecurityProfile;
  /** Common name of the client certificate that was shown; undefined without one. */
  readonly certificateCommonName: string | undefined;
  /** Actions that the CSMS asked for while the station was not accepted (B02.FR.02). */
  readonly triggered = new Set<string>();
  /** Where an OCPP-S station listens; undefined until it has said so. */
  soapAddress: string | undefined;
  /** Milliseconds since the epoch. */
  lastSeenMs: number;
  /** The `lastSeenMs` that is written already. */
  recordedMs = 0;

  constructor(
    connection: StationConnection,
    connectedAt: Date,
    proof: { readonly securityProfile: SecurityProfile; readonly certificateCommonName?: string | undefined },
  ) {
    this.connection = connection;
    this.family = familyOf(connection.version);
    this.connectedAt = connectedAt;
    this.lastSeenMs = connectedAt.getTime();
    this.securityProfile = proof.securityProfile;
    this.certificateCommonName = proof.certificateCommonName;
  }

  get stationId(): string {
    return this.connection.identity;
  }

  get version(): OcppVersion {
    return this.connection.version;
  }

  get transport(): "OCPP-J" | "OCPP-S" {
    return this.connection.transport;
  }

  get remoteAddress(): string {
    return this.connection.remoteAddress;
  }

  get lastSeenAt(): Date {
    return new Date(this.lastSeenMs);
  }
}

/** Who is connected to this node. */
export class StationSessions {
  readonly #clock: Clock;
  readonly #presence: PresenceRecord;
  readonly #sessions = new Map<string, ConnectedStation>();

  constructor(options: { readonly clock: Clock; readonly presence: PresenceRecord }) {
    this.#clock = options.clock;
    this.#presence = options.presence;
  }

  get size(): number {
    return this.#sessions.size;
  }

  find(stationId: string): ConnectedStation | undefined {
    return this.#sessions.get(stationId);
  }

  all(): IterableIterator<ConnectedStation> {
    return this.#sessions.values();
  }

  /**
   * The station's newest connection takes the place of any other. Returns the connection that is to be closed, which is
   * one of the other transport: the endpoints replace their own, but do not know of each other.
   */
  opened(
    connection: StationConnection,
    proof: { readonly securityProfile: SecurityProfile; readonly certificateCommonName?: string | undefined },
  ): StationConnection | undefined {
    const previous = this.#sessions.get(connection.identity);
    if (previous !== undefined) this.closed(previous.connection, "replaced by a newer connection");
    const session = new ConnectedStation(connection, this.#clock.now(), proof);
    this.#sessions.set(connection.identity, session);
    this.#presence.happened({
      type: "station.connected",
      stationId: session.stationId,
      timestamp: session.connectedAt,
      data: { version: session.version, remoteAddress: session.remoteAddress },
    });
    this.#record(session, true);
    // Also one that cannot be called: left alone, its endpoint would take it for the station's connection later.
    return previous !== undefined && previous.transport !== session.transport ? previous.connection : undefined;
  }

  /** A connection ended. Nothing happens when a newer one has taken its place. */
  closed(connection: StationConnection, reason: string): void {
    const session = this.#sessions.get(connection.identity);
    if (session === undefined || session.connection !== connection) return;
    this.#sessions.delete(connection.identity);
    this.#presence.happened({
      type: "station.disconnected",
      stationId: session.stationId,
      timestamp: this.#clock.now(),
      data: { reason },
    });
    this.#record(session, false);
  }

  /** An OCPP-S station gave an address at which it listens. */
  addressChanged(stationId: string, address: string): void {
    const session = this.#sessions.get(stationId);
    if (session === undefined) return;
    session.soapAddress = address;
    this.#record(session, true);
  }

  /** Hands the times of stations that were seen since the last call to the presence record. */
  recordSeen(): void {
    for (const session of this.#sessions.values()) {
      // Not "later than": the clock may have been set back.
      if (session.lastSeenMs !== session.recordedMs) this.#record(session, true);
    }
  }

  #record(session: ConnectedStation, connected: boolean): void {
    session.recordedMs = session.lastSeenMs;
    this.#presence.changed({
      station_id: session.stationId,
      connected,
      version: session.version,
      transport: session.transport,
      remote_address: session.remoteAddress,
      soap_address: session.soapAddress ?? null,
      connected_at: session.connectedAt.toISOString(),
      last_seen_at: session.lastSeenAt.toISOString(),
    });
  }
}
