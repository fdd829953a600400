import type { Authorization } from "../authorization/authorization.ts";
import { type IdToken, isSameToken, type TokenStanding } from "../authorization/id-token.ts";
import type { Settings } from "../configuration/settings.ts";
import type { Registration } from "../provisioning/registration.ts";
import type { Reservations } from "../reservation/reservations.ts";
import type { ChargingProfile } from "../smart-charging/charging-profile.ts";
import type { ChargingProfiles } from "../smart-charging/charging-profiles.ts";
import type { Session } from "./session.ts";
import type { SessionAuthorization } from "./session-host.ts";

/** What came of presenting a token. */
export type TokenOutcome = "Authorized" | "Stopped" | "Refused";

/** A request of the CSMS to start charging. */
export interface RemoteStart {
  readonly evseId?: number;
  readonly token: IdToken;
  readonly groupToken?: IdToken;
  readonly remoteStartId: number;
  /** For the transaction that is to start. */
  readonly profile?: ChargingProfile;
}

/** What the permission to charge depends on. */
export interface PermissionHost {
  readonly settings: Readonly<Settings>;
  readonly sessions: readonly Session[];
  readonly isOnline: boolean;
  readonly registration: Registration;
  readonly authorization: Authorization;
  readonly reservations: Reservations;
  readonly profiles: ChargingProfiles;
  afterAnswer(work: () => void | Promise<void>): void;
}

/** Decides who may charge where: drivers with tokens, and the CSMS from afar (C01 to C16, E07, F01 to F03). */
export class ChargingPermission {
  readonly #host: PermissionHost;
  /** Profiles of remote starts whose transaction has not started yet, by EVSE. */
  readonly #profiles = new Map<number, ChargingProfile>();

  constructor(host: PermissionHost) {
    this.#host = host;
  }

  /** A driver presents a token at an EVSE: starts or stops charging there. Never throws for a token that is refused. */
  async presentIdToken(session: Session, token: IdToken): Promise<TokenOutcome> {
    if (session.authorization !== undefined) return this.#stopBy(session, token, session.authorization);
    if (!session.usable || !this.#mayStartLocally()) return "Refused";
    const standing = await this.#host.authorization.decide(token);
    if (standing.status !== "Accepted" || session.authorization !== undefined || !session.usable) return "Refused";
    if (!this.#host.reservations.allows(session.evse.id, token, standing)) return "Refused";
    this.#authorize(session, token, standing.groupIdToken);
    return "Authorized";
  }

  async #stopBy(session: Session, token: IdToken, starter: SessionAuthorization): Promise<TokenOutcome> {
    const { authorization } = this.#host;
    let standing: TokenStanding | undefined;
    if (!isSameToken(token, starter.token)) {
      standing = authorization.local(token);
      if (standing?.status !== "Accepted") standing = await authorization.decide(token);
    }
    if (!authorization.mayStop(token, standing, starter.token, starter.group)) return "Refused";
    session.endAuthorization("StopAuthorized", "Local", token);
    return "Stopped";
  }

  /** Before the first registration a station charges only when configured to (B02.FR.03, B03.FR.01). */
  #mayStartLocally(): boolean {
    const { status } = this.#host.registration;
    if (status === "Accepted") return true;
    return this.#host.settings.txBeforeAccepted || (status === "Unknown" && !this.#host.isOnline);
  }

  #authorize(session: Session, token: IdToken, group: IdToken | undefined, remoteStartId?: number): void {
    const reservationId = this.#host.reservations.use(session.evse.id);
    session.authorize({
      token,
      ...(group === undefined ? {} : { group }),
      ...(remoteStartId === undefined ? {} : { remoteStartId }),
      ...(reservationId === undefined ? {} : { reservationId }),
    });
  }

  /** Answers a remote start; authorization and transaction follow the answer (F01, F02; OCPP 1.6 §5.11). */
  remoteStart(request: RemoteStart): { readonly status: "Accepted" | "Rejected"; readonly transactionId?: string } {
    const { registration, authorization, reservations } = this.#host;
    const session = this.#sessionFor(request);
    if (session === undefined || registration.status !== "Accepted") return { status: "Rejected" };
    const known = authorization.local(request.token);
    const group = request.groupToken ?? known?.groupIdToken;
    const standing = group === undefined ? known : { status: "Accepted" as const, groupIdToken: group };
    if (!reservations.allows(session.evse.id, request.token, standing)) return { status: "Rejected" };
    this.#host.afterAnswer(() => this.#startRemotely(session, request));
    const transactionId = session.transaction?.id;
    return { status: "Accepted", ...(transactionId === undefined ? {} : { transactionId }) };
  }

  #sessionFor(request: RemoteStart): Session | undefined {
    const { sessions, reservations } = this.#host;
    const free = sessions.filter((session) => session.usable && session.authorization === undefined);
    if (request.evseId !== undefined) return free.find((session) => session.evse.id === request.evseId);
    const open = free.filter((session) => reservations.allows(session.evse.id, request.token, undefined));
    return open.find((session) => session.evse.plugged) ?? open[0];
  }

  async #startRemotely(session: Session, request: RemoteStart): Promise<void> {
    let group = request.groupToken;
    if (this.#host.settings.authorizeRemoteStart) {
      const standing = await this.#host.authorization.decide(request.token);
      if (standing.status !== "Accepted") return;
      group = standing.groupIdToken ?? group;
    }
    if (session.authorization !== undefined || !session.usable) return;
    // F02.FR.18: the profile waits for the vehicle, too.
    if (request.profile === undefined) this.#profiles.delete(session.evse.id);
    else this.#profiles.set(session.evse.id, request.profile);
    this.#authorize(session, request.token, group, request.remoteStartId);
    this.transactionOpen(session);
  }

  /** A transaction runs: the profile that came with its remote start becomes its own. */
  transactionOpen(session: Session): void {
    const { transaction, authorization } = session;
    const profile = this.#profiles.get(session.evse.id);
    if (transaction === undefined || profile === undefined) return;
    this.#profiles.delete(session.evse.id);
    // Somebody else came first when the remote start had run out.
    if (authorization?.remoteStartId === undefined) return;
    this.#host.profiles.install(session.evse.id, { ...profile, transactionId: transaction.id });
  }

  /** Stops a transaction for the CSMS, after the answer (F03; OCPP 1.6 §5.12). */
  remoteStop(transactionId: string): "Accepted" | "Rejected" {
    const session = this.#host.sessions.find((candidate) => candidate.transaction?.id === transactionId);
    if (session === undefined || this.#host.registration.status !== "Accepted") return "Rejected";
    this.#host.afterAnswer(() => session.endAuthorization("RemoteStop", "Remote"));
    return "Accepted";
  }
}
