import { type CatalogueEntry, catalogue } from "../../catalogue/catalogue.ts";
import { isFamily2 } from "../../catalogue/version.ts";
import type { CallContext, Connection, IgnoredCause, RefusedCause } from "../../connection.ts";
import type { UntypedHandler } from "../../endpoint/handler-table.ts";
import { applyTolerance } from "../../endpoint/payload-check.ts";
import type { ErrorCode } from "../../error-codes.ts";
import { ValidationError } from "../../errors.ts";
import type { RequestFrame } from "../frames/frame.ts";
import type { PeerSettings } from "./peer-settings.ts";
import { answer, answerFailure, answerSigned, type Job } from "./request-answer.ts";
import { RequestSlots, type SlotUser, type WaitingRequest } from "./request-slots.ts";
import { unsignedAction } from "./signed-messages.ts";
import type { Wire } from "./wire.ts";

/** Whose requests come in. */
export interface RequestedPeer {
  /** The connection as handlers see it. */
  readonly connection: Connection;
  /** The number of running or waiting requests crossed a limit. */
  loadChanged(): void;
}

const NO_RULES: readonly string[] = Object.freeze([]);

class RequestContext implements CallContext {
  readonly connection: Connection;
  readonly action: string;
  readonly messageId: string;
  readonly receivedAt: Date;
  readonly tolerances: readonly string[];

  constructor(frame: RequestFrame, connection: Connection, receivedAt: Date, tolerances: readonly string[]) {
    this.connection = connection;
    this.action = frame.action;
    this.messageId = frame.messageId;
    this.receivedAt = receivedAt;
    this.tolerances = tolerances;
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

/** The requests of one peer: checked, handed to their handlers, answered when these are done, in whatever order. */
export class IncomingRequests implements SlotUser {
  readonly slots: RequestSlots;
  readonly #settings: PeerSettings;
  readonly #wire: Wire;
  readonly #peer: RequestedPeer;
  readonly #entries: ReadonlyMap<string, CatalogueEntry>;
  readonly #handlers: ReadonlyMap<string, UntypedHandler>;
  #isStopped = false;

  constructor(settings: PeerSettings, wire: Wire, peer: RequestedPeer) {
    this.slots = new RequestSlots(settings, this);
    this.#settings = settings;
    this.#wire = wire;
    this.#peer = peer;
    this.#entries = catalogue(wire.version);
    this.#handlers = settings.handlers.of(wire.version);
  }

  /** Takes one request. `size` is the length of its frame. */
  receive(frame: RequestFrame, size: number): void {
    if (this.#isStopped) {
      this.#ignore(frame, "closing", "request while closing");
      return;
    }
    const receivedAt = this.#settings.clock.now();
    if (this.slots.isBusy) this.slots.wait({ frame, receivedAt, size });
    else this.#start(frame, receivedAt, false);
  }

  /** Takes no further request; those that wait are dropped, for the peer will repeat them. */
  stop(): void {
    this.#isStopped = true;
    for (const { frame } of this.slots.clear()) this.#ignore(frame, "closing", "request while closing");
  }

  begin({ frame, receivedAt }: WaitingRequest): void {
    this.#start(frame, receivedAt, false);
  }

  loadChanged(): void {
    this.#peer.loadChanged();
  }

  #start(frame: RequestFrame, receivedAt: Date, isSigned: boolean): void {
    const { action, messageId } = frame;
    const running = this.slots.actionOf(messageId);
    if (running !== undefined) {
      this.#repeated(frame, running);
      return;
    }
    const entry = this.#entries.get(action);
    const handler = this.#handlers.get(action) ?? this.#settings.handlers.fallback;
    if (entry === undefined) {
      this.#unknown(frame, receivedAt);
    } else if (entry.from === this.#settings.role || entry.kind !== frame.kind || handler === undefined) {
      this.#refuse(frame, "not-supported", "NotSupported", `${action} is not supported here`);
    } else {
      this.#check({ frame, entry, handler, receivedAt, isSigned });
    }
  }

  /** An action that the version does not have; it may still wrap one (2.x Part 4 §7.2). */
  #unknown(frame: RequestFrame, receivedAt: Date): void {
    const { version } = this.#wire;
    const action = isFamily2(version) ? unsignedAction(frame.action) : undefined;
    if (action !== undefined && this.#entries.has(action)) {
      this.#unwrap(frame, action, receivedAt);
    } else {
      const description = `OCPP ${version} has no ${frame.action.slice(0, 50)}`;
      this.#refuse(frame, "unknown-action", "NotImplemented", description);
    }
  }

  #unwrap(frame: RequestFrame, action: string, receivedAt: Date): void {
    const { identity, version } = this.#wire;
    const message = { identity, version, action, direction: "request" } as const;
    this.slots.take(frame);
    this.#settings.signing.open(frame.payload, message, frame.kind === "CALL" ? 2 : 6).then(
      (payload) => {
        this.slots.release(frame);
        this.#start({ ...frame, action, payload }, receivedAt, true);
        this.slots.drain();
      },
      (error: unknown) => {
        answerFailure(this.#wire, frame, error);
        this.slots.finish(frame);
      },
    );
  }

  #check(job: Job): void {
    const { frame, entry } = job;
    const { identity, version } = this.#wire;
    const { tolerance, observer, signing } = this.#settings;
    if (!job.isSigned && signing.requires(identity, version, frame.action, "request")) {
      this.#refuse(frame, "unsigned", "SecurityError", `${frame.action} must be signed`);
      return;
    }
    const violation = entry.validateRequest(frame.payload);
    if (violation === undefined) {
      this.#handle(job, frame.payload, NO_RULES);
      return;
    }
    const checked = applyTolerance(identity, entry, "request", frame.payload, violation, tolerance, observer);
    if (checked.violation === undefined) {
      this.#handle({ ...job, tolerated: violation }, checked.payload, checked.rules);
    } else if (frame.kind === "CALL") {
      const error = new ValidationError(version, frame.action, "request", checked.violation);
      this.#wire.sendError(frame.messageId, frame.action, error.code, error.message, error.details);
    }
  }

  #handle(job: Job, payload: unknown, rules: readonly string[]): void {
    const { frame, handler, receivedAt } = job;
    let returned: unknown;
    try {
      returned = handler(payload, new RequestContext(frame, this.#peer.connection, receivedAt, rules));
    } catch (error) {
      answerFailure(this.#wire, frame, error);
      return;
    }
    if (isPromise(returned)) {
      this.slots.take(frame);
      returned.then(
        (value) => this.#finish(job, value),
        (error: unknown) => {
          answerFailure(this.#wire, frame, error);
          this.slots.finish(frame);
        },
      );
    } else if (job.isSigned) {
      this.slots.take(frame);
      this.#finish(job, returned);
    } else {
      answer(this.#wire, job, returned);
    }
  }

  /** Answers a request that has a slot; a signed one takes another turn. */
  #finish(job: Job, returned: unknown): void {
    const { signing } = this.#settings;
    if (job.isSigned && job.frame.kind === "CALL" && signing.canSign) {
      void answerSigned(this.#wire, signing, job, returned).finally(() => this.slots.finish(job.frame));
    } else {
      answer(this.#wire, job, returned);
      this.slots.finish(job.frame);
    }
  }

  /** A message id that is still in work: a retry (2.x Part 4 §4.1.4) is served by the answer to the first try. */
  #repeated(frame: RequestFrame, running: string): void {
    if (running === frame.action) {
      this.#ignore(frame, "repeated", "repeated request");
    } else {
      this.#refuse(frame, "message-id-in-use", "GenericError", `the message id is in use by ${running}`);
    }
  }

  #refuse(frame: RequestFrame, cause: RefusedCause, code: ErrorCode, description: string): void {
    if (frame.kind !== "CALL") {
      this.#ignore(frame, "not-supported", "SEND of an action that is not supported here");
      return;
    }
    this.#wire.sendError(frame.messageId, frame.action, code, description);
    this.#wire.refused(frame.action, cause, description, frame.payload);
  }

  #ignore(frame: RequestFrame, cause: IgnoredCause, reason: string): void {
    this.#wire.ignored(cause, reason, frame.messageId, frame.payload);
  }
}
