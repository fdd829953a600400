import { availableParallelism } from "node:os";
import { ConcurrencyLimit, type ConcurrencyLimits, OverloadedError } from "./concurrency-limit.ts";
import type { CredentialThrottle } from "./credential-throttle.ts";
import type { KnownStation, KnownStations, SecurityProfile, StationCredentials } from "./known-stations.ts";
import { peerNetwork } from "./peer-network.ts";
import { identityDefect } from "./station-identity.ts";

/** What a station shows when it connects (OCPP-J) or sends a request (OCPP-S). */
export interface StationProof {
  readonly identity: string;
  readonly remoteAddress: string;
  /** Whether the transport is TLS. */
  readonly secure: boolean;
  /** Basic credentials as bytes: a password of 1.6 need not be text. */
  readonly authorization?: { readonly username: Buffer; readonly password: Buffer } | undefined;
  /** Subject of a client certificate whose path was verified; undefined without one, or with one that was not. */
  readonly certificateSubject?: CertificateSubject | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The parts of a certificate's subject that name a station. */
export interface CertificateSubject {
  /** CN: the station's serial number (A00.FR.511). */
  readonly commonName: string;
  /** O: the operator (A00.FR.404). */
  readonly organization: string;
}

/** Whether a station may speak, and by which profile it proved itself. */
export type AuthenticationDecision =
  | {
      readonly accept: true;
      readonly station: KnownStation;
      readonly securityProfile: SecurityProfile;
      /** Common name that the station's serial number must equal (B01.FR.11); not where an operator mapped another. */
      readonly certificateCommonName?: string | undefined;
    }
  | {
      readonly accept: false;
      readonly status: 401 | 403 | 404 | 429 | 503;
      /** One of a few words, for counters. */
      readonly cause:
        | "identity"
        | "unknown"
        | "credentials"
        | "certificate"
        | "insecure"
        | "throttled"
        | "overloaded"
        | "unavailable"
        | "web-page";
      readonly reason: string;
      readonly retryAfterS?: number;
    };

/** What {@link StationAuthentication} works with. */
export interface StationAuthenticationOptions {
  readonly stations: KnownStations;
  readonly credentials: StationCredentials;
  readonly throttle: CredentialThrottle;
  /** Password verifications at once, and those that may wait. */
  readonly admission?: ConcurrencyLimits;
  /** Records of unknown stations that are made at once, and those that may wait. */
  readonly newcomers?: ConcurrencyLimits;
  /** Organization that client certificates must name (A00.FR.404); any when absent. */
  readonly operatorName?: string | undefined;
}

/**
 * As many hashes at once as leave one processor to the process itself: a storm of stations that come back must not take
 * the time of those that are there.
 */
const hashesAtOnce = Math.max(1, availableParallelism() - 1);

/** Stations that may wait for their turn: in all, and of one network. */
const mostWaiting = { queued: 10_000, queuedPerKey: 5_000 };

/** Why a station may not speak. */
export type Refusal = Extract<AuthenticationDecision, { accept: false }>;

const unauthorized = (cause: "credentials" | "certificate", reason: string): Refusal => ({
  accept: false,
  status: 401,
  cause,
  reason,
});

/**
 * Enforces the security profile of each station. The stored profile is the least a station must show: a higher one
 * is how an upgrade arrives (A05), and is then stored so that nothing lower is taken any more (A05.FR.07).
 */
export class StationAuthentication {
  readonly #stations: KnownStations;
  readonly #credentials: StationCredentials;
  readonly #throttle: CredentialThrottle;
  readonly #admission: ConcurrencyLimit;
  readonly #newcomers: ConcurrencyLimit;
  readonly #operatorName: string | undefined;

  constructor(options: StationAuthenticationOptions) {
    this.#stations = options.stations;
    this.#credentials = options.credentials;
    this.#throttle = options.throttle;
    this.#admission = new ConcurrencyLimit(options.admission ?? { concurrent: hashesAtOnce, ...mostWaiting });
    this.#newcomers = new ConcurrencyLimit(options.newcomers ?? { concurrent: 500, ...mostWaiting });
    this.#operatorName = options.operatorName;
  }

  /** Decides synchronously where no password must be hashed and no record made. */
  decide(proof: StationProof): AuthenticationDecision | Promise<AuthenticationDecision> {
    const defect = identityDefect(proof.identity);
    if (defect !== undefined) return { accept: false, status: 404, cause: "identity", reason: defect };
    const station = this.#stations.find(proof.identity);
    return station === undefined ? this.#decideUnknown(proof) : this.#decideKnown(proof, station);
  }

  async #decideUnknown(proof: StationProof): Promise<AuthenticationDecision> {
    const waitS = this.#throttle.waitS(proof.remoteAddress, proof.identity);
    if (waitS > 0) return throttled(waitS);
    const { identity, remoteAddress, signal } = proof;
    let station: KnownStation | undefined;
    try {
      // While the database is slow their number has no other bound.
      station = await this.#newcomers.run(
        async () => this.#stations.handleUnknown(identity, { remoteAddress }),
        signal,
        peerNetwork(remoteAddress),
      );
    } catch (error) {
      if (error instanceof OverloadedError) return overloaded(this.#newcomers);
      if (signal?.aborted !== true) throw error;
      return unavailable(this.#newcomers, "the station did not wait");
    }
    if (station !== undefined) return this.#decideKnown(proof, station);
    this.#throttle.failed(proof.remoteAddress, proof.identity);
    return { accept: false, status: 404, cause: "unknown", reason: "the station is not known" };
  }

  #decideKnown(proof: StationProof, station: KnownStation): AuthenticationDecision | Promise<AuthenticationDecision> {
    const required = station.securityProfile;
    if (required === 0) return { accept: true, station, securityProfile: 0 };
    if (proof.secure && proof.certificateSubject !== undefined) {
      const defect = this.#certificateDefect(proof.certificateSubject, station);
      if (defect === undefined) {
        const isMapped = this.#credentials.certificateCommonName(station.stationId) !== undefined;
        const certificateCommonName = isMapped ? undefined : proof.certificateSubject.commonName;
        return { accept: true, station, securityProfile: 3, certificateCommonName };
      }
      if (required === 3) return this.#refused(proof, unauthorized("certificate", defect));
    }
    if (required >= 2 && !proof.secure) {
      return this.#refused(proof, {
        accept: false,
        status: 403,
        cause: "insecure",
        reason: `security profile ${required} needs TLS`,
      });
    }
    if (required === 3) {
      return this.#refused(proof, unauthorized("certificate", "security profile 3 needs a valid client certificate"));
    }
    return this.#decidePassword(proof, station);
  }

  #decidePassword(
    proof: StationProof,
    station: KnownStation,
  ): AuthenticationDecision | Promise<AuthenticationDecision> {
    const { authorization } = proof;
    if (authorization === undefined) {
      // Asking without credentials is how some clients find out that they are wanted; nothing was guessed.
      return unauthorized("credentials", "Basic credentials are required");
    }
    const profile = proof.secure ? 2 : 1;
    const named = authorization.username.equals(Buffer.from(proof.identity, "utf8"));
    if (named && this.#credentials.isVerified(station.stationId, authorization.password) === true) {
      return this.#accepted(station, profile);
    }
    const waitS = this.#throttle.waitS(proof.remoteAddress, proof.identity);
    if (waitS > 0) return throttled(waitS);
    if (!named) return this.#refused(proof, unauthorized("credentials", "the user name is not the station's identity"));
    return this.#verifyPassword(proof, station, authorization.password, profile);
  }

  async #verifyPassword(
    proof: StationProof,
    station: KnownStation,
    password: Buffer,
    profile: SecurityProfile,
  ): Promise<AuthenticationDecision> {
    try {
      return await this.#admission.run(
        () => this.#verifyInTurn(proof, station, password, profile),
        proof.signal,
        peerNetwork(proof.remoteAddress),
      );
    } catch (error) {
      if (error instanceof OverloadedError) return overloaded(this.#admission);
      return unavailable(this.#admission, "credentials cannot be checked now");
    }
  }

  async #verifyInTurn(
    proof: StationProof,
    station: KnownStation,
    password: Buffer,
    profile: SecurityProfile,
  ): Promise<AuthenticationDecision> {
    // While it waited the same may have been verified, or others of its address may have failed too often.
    if (this.#credentials.isVerified(station.stationId, password) === true) return this.#accepted(station, profile);
    const waitS = this.#throttle.waitS(proof.remoteAddress, proof.identity);
    if (waitS > 0) return throttled(waitS);
    if (!(await this.#credentials.verifyPassword(station.stationId, password))) {
      return this.#refused(proof, unauthorized("credentials", "wrong credentials"));
    }
    this.#throttle.succeeded(proof.remoteAddress, proof.identity);
    return this.#accepted(station, profile);
  }

  #certificateDefect(subject: CertificateSubject, station: KnownStation): string | undefined {
    if (this.#operatorName !== undefined && subject.organization !== this.#operatorName) {
      return "the client certificate belongs to another organization";
    }
    const configured = this.#credentials.certificateCommonName(station.stationId);
    // A station that was never booted has no serial number on record: then its identity must be what the certificate names.
    const names = configured === undefined ? [station.serialNumber, station.stationId] : [configured];
    return names.includes(subject.commonName) ? undefined : "the client certificate belongs to another station";
  }

  #accepted(station: KnownStation, securityProfile: SecurityProfile): AuthenticationDecision {
    return { accept: true, station, securityProfile };
  }

  #refused(proof: StationProof, refusal: Refusal): AuthenticationDecision {
    this.#throttle.failed(proof.remoteAddress, proof.identity);
    return refusal;
  }
}

function throttled(waitS: number): AuthenticationDecision {
  return {
    accept: false,
    status: 429,
    cause: "throttled",
    reason: "too many failed attempts from this address",
    retryAfterS: waitS,
  };
}

/** Later the more there are before. */
const retryAfterS = (line: ConcurrencyLimit) => 5 + Math.floor((line.waiting * 5) / 1000);

function overloaded(line: ConcurrencyLimit): AuthenticationDecision {
  const reason = "too many stations connect at once";
  return { accept: false, status: 503, cause: "overloaded", reason, retryAfterS: retryAfterS(line) };
}

function unavailable(line: ConcurrencyLimit, reason: string): AuthenticationDecision {
  return { accept: false, status: 503, cause: "unavailable", reason, retryAfterS: retryAfterS(line) };
}
