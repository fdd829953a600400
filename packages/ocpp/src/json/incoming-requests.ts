import { type CatalogueEntry, catalogue } from "../catalogue/catalogue.ts";
import { isFamily2, type OcppVersion } from "../catalogue/version.ts";
import type { CallContext, Connection, IgnoredCause, RefusedCause } from "../connection.ts";
import type { UntypedHandler } from "../endpoint/handler-table.ts";
import { applyTolerance } from "../endpoint/payload-check.ts";
import { isThrownAnswer } from "../endpoint/thrown-answer.ts";
import type { ErrorCode } from "../error-codes.ts";
import { OcppError, ValidationError } from "../errors.ts";
import type { Violation } from "../validation/violation.ts";
import type { RequestFrame } from "./frames/frame.ts";
import type { PeerSettings } from "./peer-settings.ts";
import { unsignedAction } from "./signed-messages.ts";

/** How requests of the peer are answered. */
export interface AnswerChannel {
  readonly connection: Connection;
  sendResult(messageId: string, action: string, payload: unknown): void;
  sendError(
    messageId: string,
    action: string,
    code: ErrorCode,
    description: string,
    details?: Readonly<Record<string, unknown>>,
  ): void;
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

/** A request on its way through its handler. */
interface Job {
  readonly frame: RequestFrame;
  readonly entry: CatalogueEntry;
  readonly handler: UntypedHandler;
  readonly receivedAt: Date;
  readonly isSigned: boolean;
  /** What a tolerance rule let pass. */
  readonly tolerated?: Violation;
}

interface WaitingRequest {
  readonly frame: RequestFrame;
  readonly receivedAt: Date;
  readonly size: number;
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

/** The requests of one peer: checked, handed to their handlers, answered when these are done, in whatever order. */
export class IncomingRequests {
  readonly #settings: PeerSettings;
  readonly #channel: AnswerChannel;
  readonly #entries: ReadonlyMap<string, CatalogueEntry>;
  readonly #handlers: ReadonlyMap<string, UntypedHandler>;
  readonly #version: OcppVersion;
  /** Action by message id of what is in work; absent until a handler does not answer at once. */
  #running: Map<string, string> | undefined;
  #waiting: WaitingRequest[] | undefined;
  #waitingSize = 0;
  #isStopped = false;
  #isHeld = false;
  #idle: (() => void)[] | undefined;
  #runningCount = 0;

  constructor(settings: PeerSettings, version: OcppVersion, channel: AnswerChannel) {
    this.#settings = settings;
    this.#channel = channel;
    this.#version = version;
    this.#entries = catalogue(version);
    this.#handlers = settings.handlers.of(version);
  }

  /** Further requests wait: as many handlers run as may, or the answers are not read. */
  get isBusy(): boolean {
    return this.#isHeld || this.#runningCount >= this.#settings.maxConcurrentRequests;
  }

  /** So much waits that nothing more may be read, come what may. */
  get isOverrun(): boolean {
    const waiting = this.#waiting;
    if (waiting === undefined) return false;
    return waiting.length >= this.#settings.maxConcurrentRequests || this.#waitingSize >= this.#settings.maxFrameBytes;
  }

  /** Takes one request. `size` is the length of its frame. */
  receive(frame: RequestFrame, size: number): void {
    if (this.#isStopped) {
      this.#ignore(frame, "closing", "request while closing");
      return;
    }
    const receivedAt = this.#settings.clock.now();
    if (!this.isBusy) {
      this.#start(frame, receivedAt);
      return;
    }
    this.#waiting ??= [];
    this.#waiting.push({ frame, receivedAt, size });
    this.#waitingSize += size;
    this.#channel.loadChanged();
  }

  /** Lets further requests wait while the peer does not read its answers. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    if (!isHeld) this.#drain();
  }

  /** Takes no further request; those that wait are dropped, for the peer will repeat them. */
  stop(): void {
    this.#isStopped = true;
    for (const { frame } of this.#waiting ?? []) this.#ignore(frame, "closing", "request while closing");
    this.#waiting = undefined;
    this.#waitingSize = 0;
  }

  /** Resolves when no handler runs. */
  idle(): Promise<void> {
    if (this.#runningCount === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle ??= [];
      this.#idle.push(resolve);
    });
  }

  #start(frame: RequestFrame, receivedAt: Date, isSigned = false): void {
    const { action, messageId } = frame;
    const running = this.#running?.get(messageId);
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
    const action = isFamily2(this.#version) ? unsignedAction(frame.action) : undefined;
    if (action === undefined || !this.#entries.has(action)) {
      this.#refuse(
        frame,
        "unknown-action",
        "NotImplemented",
        `OCPP ${this.#version} has no ${frame.action.slice(0, 50)}`,
      );
      return;
    }
    const { identity, version } = this.#channel.connection;
    const message = { identity, version, action, direction: "request" } as const;
    this.#track(frame);
    this.#settings.signing.open(frame.payload, message, frame.kind === "CALL" ? 2 : 6).then(
      (payload) => {
        this.#release(frame);
        this.#start({ ...frame, action, payload }, receivedAt, true);
        this.#drain();
      },
      (error: unknown) => {
        this.#fail(frame, error);
        this.#finish(frame);
      },
    );
  }

  #check(job: Job): void {
    const { frame, entry } = job;
    const { identity } = this.#channel.connection;
    const { tolerance, observer, signing } = this.#settings;
    if (!job.isSigned && signing.requires(identity, this.#version, frame.action, "request")) {
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
      const error = new ValidationError(this.#version, frame.action, "request", checked.violation);
      this.#channel.sendError(frame.messageId, frame.action, error.code, error.message, error.details);
    }
  }

  #handle(job: Job, payload: unknown, rules: readonly string[]): void {
    const { frame, handler, receivedAt } = job;
    let answer: unknown;
    try {
      answer = handler(payload, new RequestContext(frame, this.#channel.connection, receivedAt, rules));
    } catch (error) {
      this.#fail(frame, error);
      return;
    }
    if (isPromise(answer)) {
      this.#track(frame);
      answer.then(
        (result) => this.#finishWith(job, result),
        (error: unknown) => {
          this.#fail(frame, error);
          this.#finish(frame);
        },
      );
    } else if (job.isSigned) {
      this.#track(frame);
      this.#finishWith(job, answer);
    } else {
      this.#answer(job, answer);
    }
  }

  /** Answers a request that was tracked; a signed one takes another turn. */
  #finishWith(job: Job, answer: unknown): void {
    if (job.isSigned && job.frame.kind === "CALL" && this.#settings.signing.canSign) {
      void this.#answerSigned(job, answer).finally(() => this.#finish(job.frame));
    } else {
      this.#answer(job, answer);
      this.#finish(job.frame);
    }
  }

  #validated({ frame, entry, tolerated }: Job, answer: unknown): unknown {
    const violation = entry.validateResponse(answer);
    if (violation === undefined) return answer;
    // A response may repeat what the request held; where a rule let that pass, it is the peer's fault and not ours.
    if (tolerated !== undefined) {
      const { code, message, details } = new ValidationError(this.#version, frame.action, "request", tolerated);
      throw new OcppError(code, message, { details });
    }
    throw new ValidationError(this.#version, frame.action, "response", violation);
  }

  #answer(job: Job, answer: unknown): void {
    const { frame } = job;
    if (frame.kind === "SEND") return;
    try {
      this.#channel.sendResult(frame.messageId, frame.action, this.#validated(job, answer));
    } catch (error) {
      this.#fail(frame, error);
    }
  }

  async #answerSigned(job: Job, answer: unknown): Promise<void> {
    const { frame } = job;
    try {
      const jws = await this.#settings.signing.sign(frame.action, 3, this.#validated(job, answer));
      this.#channel.sendResult(frame.messageId, frame.action, jws);
    } catch (error) {
      this.#fail(frame, error);
    }
  }

  #fail(frame: RequestFrame, error: unknown): void {
    const { messageId, action, kind } = frame;
    if (isThrownAnswer(error)) {
      if (kind === "CALL") this.#channel.sendError(messageId, action, error.code, error.message, error.details);
      return;
    }
    this.#settings.observer?.failed?.({ identity: this.#channel.connection.identity, action, error });
    // Nothing of the error goes out: it may hold what the peer must not know.
    if (kind === "CALL")
      this.#channel.sendError(messageId, action, "InternalError", "the request could not be processed");
  }

  #track(frame: RequestFrame): void {
    this.#running ??= new Map();
    this.#running.set(frame.messageId, frame.action);
    this.#runningCount++;
    this.#settings.work.running++;
    if (this.isBusy) this.#channel.loadChanged();
  }

  #release(frame: RequestFrame): void {
    this.#running?.delete(frame.messageId);
    this.#runningCount--;
    this.#settings.work.running--;
  }

  #finish(frame: RequestFrame): void {
    this.#release(frame);
    this.#drain();
  }

  /** Starts what waits, as far as there is room. */
  #drain(): void {
    while (!this.isBusy) {
      const next = this.#waiting?.shift();
      if (next === undefined) break;
      this.#waitingSize -= next.size;
      this.#start(next.frame, next.receivedAt);
    }
    if (!this.isBusy) this.#channel.loadChanged();
    if (this.#runningCount > 0 || this.#idle === undefined) return;
    const idle = this.#idle;
    this.#idle = undefined;
    for (const resolve of idle) resolve();
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
      this.#ignore(frame, "not-supported", `SEND of an action that is not supported here`);
      return;
    }
    this.#channel.sendError(frame.messageId, frame.action, code, description);
    const { identity, version } = this.#channel.connection;
    const { action, payload: evidence } = frame;
    this.#settings.observer?.refused?.({ identity, version, action, cause, reason: description, evidence });
  }

  #ignore(frame: RequestFrame, cause: IgnoredCause, reason: string): void {
    const { identity } = this.#channel.connection;
    const { messageId, payload: evidence } = frame;
    this.#settings.observer?.ignored?.({ identity, cause, reason, messageId, evidence });
  }
}
