import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { OcppVersion } from "../catalogue/version.ts";
import type { EndpointObserver } from "../connection.ts";
import type { Timers } from "../endpoint/timers.ts";
import {
  allowsIdentity,
  chooseVersion,
  type Handshake,
  type HandshakeDecision,
  identityOf,
  offeredSubprotocols,
  pathOf,
  readHandshake,
} from "./handshake.ts";
import { refuse } from "./http-refusal.ts";

/** What `onConnect` learns of the handshake. */
export interface AcceptedHandshake {
  /** What `authenticate` handed on. */
  readonly context: unknown;
  /** The station offered no subprotocol; the version is the one that `authenticate` named. */
  readonly isWithoutSubprotocol: boolean;
}

/** A station that may connect. */
export interface Admission {
  readonly identity: string;
  /** Undefined when no offered version is spoken: the handshake is completed all the same, and the socket closed. */
  readonly version: OcppVersion | undefined;
  readonly accepted: AcceptedHandshake;
  readonly pingIntervalMs: number | undefined;
}

/** What the gate decides by. */
export interface GateOptions {
  readonly path: string;
  readonly versions: ReadonlySet<OcppVersion>;
  authenticate(handshake: Handshake): HandshakeDecision | Promise<HandshakeDecision>;
  readonly handshakeTimeoutMs: number;
  readonly timers: Timers;
  readonly observer: EndpointObserver | undefined;
}

/**
 * Handshakes begun in one turn of the event loop, a few milliseconds. When all stations come back at once, those that
 * are connected are heard in between.
 */
const HANDSHAKES_PER_TURN = 8;

function onSocketError(this: Duplex): void {
  this.destroy();
}

/** Decides about upgrade requests before they become WebSockets: identity, authentication, version. */
export class UpgradeGate {
  readonly #options: GateOptions;
  #waiting = 0;
  #isShut = false;
  #begunInTurn = 0;
  readonly #later: Array<() => void> = [];

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /** Stations whose authentication is going on or to come. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Refuses everybody with 503 from now on. */
  shut(): void {
    this.#isShut = true;
  }

  /** Refuses the request, or calls `proceed`, which must complete the handshake at once. What the station sends before stays in its socket. */
  admit(request: IncomingMessage, socket: Duplex, proceed: (admission: Admission) => void): void {
    socket.on("error", onSocketError);
    const path = pathOf(request.url);
    const identity = identityOf(path, this.#options.path);
    if (this.#isShut) {
      refuse(socket, 503, "shutting down");
    } else if (identity === undefined) {
      refuse(socket, 404, "no such charging station");
    } else {
      this.#waiting++;
      this.#inTurn(() => void this.#authenticate(request, socket, identity, path, proceed));
    }
  }

  #inTurn(begin: () => void): void {
    if (this.#begunInTurn === 0) setImmediate(() => this.#nextTurn());
    if (this.#begunInTurn < HANDSHAKES_PER_TURN) {
      this.#begunInTurn++;
      begin();
    } else {
      this.#later.push(begin);
    }
  }

  #nextTurn(): void {
    const begins = this.#later.splice(0, HANDSHAKES_PER_TURN);
    this.#begunInTurn = begins.length;
    if (begins.length > 0) setImmediate(() => this.#nextTurn());
    for (const begin of begins) begin();
  }

  async #authenticate(
    request: IncomingMessage,
    socket: Duplex,
    identity: string,
    path: string,
    proceed: (admission: Admission) => void,
  ): Promise<void> {
    // It gave up while it waited for its turn.
    if (socket.destroyed || socket.readableEnded) {
      this.#waiting--;
      socket.destroy();
      return;
    }
    const abort = new AbortController();
    const onGone = () => abort.abort(new Error("the station gave up"));
    socket.once("close", onGone).once("end", onGone);
    let decision: HandshakeDecision | undefined;
    try {
      decision = await this.#decision(readHandshake(request, identity, path, abort.signal), abort);
    } catch (error) {
      this.#options.observer?.failed?.({ identity, action: "", error });
    }
    this.#waiting--;
    socket.off("close", onGone).off("end", onGone);
    if (decision === undefined) refuse(socket, 500, "authentication failed to work");
    else this.#decided(request, socket, identity, decision, proceed);
  }

  async #decision(handshake: Handshake, abort: AbortController): Promise<HandshakeDecision> {
    const { handshakeTimeoutMs, timers } = this.#options;
    let cancel: (() => void) | undefined;
    const late = new Promise<HandshakeDecision>((resolve) => {
      cancel = timers.after(handshakeTimeoutMs, () => {
        abort.abort(new Error(`no decision within ${handshakeTimeoutMs} ms`));
        resolve({ accept: false, status: 503, reason: "authentication took too long" });
      });
    });
    try {
      return await Promise.race([this.#options.authenticate(handshake), late]);
    } finally {
      cancel?.();
    }
  }

  #decided(
    request: IncomingMessage,
    socket: Duplex,
    identity: string,
    decision: HandshakeDecision,
    proceed: (admission: Admission) => void,
  ): void {
    if (socket.destroyed) return;
    if (socket.readableEnded) {
      socket.destroy();
      return;
    }
    if (!decision.accept) {
      refuse(socket, decision.status, decision.reason, decision.headers);
      return;
    }
    if (this.#isShut) {
      refuse(socket, 503, "shutting down");
      return;
    }
    const offered = offeredSubprotocols(request.headers["sec-websocket-protocol"]);
    const isWithoutSubprotocol = offered.length === 0;
    const version = isWithoutSubprotocol
      ? decision.versionWithoutSubprotocol
      : chooseVersion(offered, this.#options.versions);
    if (version !== undefined && !allowsIdentity(version, identity)) {
      refuse(socket, 404, "no identity of this version");
      return;
    }
    if (version === undefined) {
      const cause = isWithoutSubprotocol ? "no-subprotocol" : "unknown-subprotocol";
      const evidence = offered.join(", ");
      const reason = "no subprotocol that is spoken here was offered";
      this.#options.observer?.refused?.({ identity, version, action: "", cause, reason, evidence });
    }
    socket.off("error", onSocketError);
    const accepted = { context: decision.context, isWithoutSubprotocol };
    proceed({ identity, version, accepted, pingIntervalMs: decision.pingIntervalMs });
  }
}
