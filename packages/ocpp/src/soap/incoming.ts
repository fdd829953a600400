import type { IncomingMessage, ServerResponse } from "node:http";
import type { CatalogueEntry } from "../catalogue/catalogue.ts";
import type { Role } from "../catalogue/version.ts";
import type { CallContext, Connection, EndpointObserver, ToleranceHook } from "../connection.ts";
import type { HandlerTable, UntypedHandler } from "../endpoint/handler-table.ts";
import { applyTolerance } from "../endpoint/payload-check.ts";
import { isThrownAnswer } from "../endpoint/thrown-answer.ts";
import type { WallClock } from "../endpoint/timers.ts";
import { refusedTolerance } from "../endpoint/tolerances.ts";
import { ValidationError } from "../errors.ts";
import { describeViolation } from "../validation/violation.ts";
import { AnswerBatch } from "./answer-batch.ts";
import type { Addressing, Envelope } from "./envelope.ts";
import { faultFor, SoapFault } from "./fault.ts";
import { BodyBudget, decompressBody, HttpBodyError, isEncoded, receiveBody } from "./http-body.ts";
import { bodyFault, noCapacity, noteDeviations, openRequest, readText, UNAVAILABLE } from "./incoming-envelope.ts";
import { type ReplySettings, SoapReply } from "./reply.ts";
import { findOperation, findService, type Operation, type SoapVersion, serviceOf } from "./soap-version.ts";
import type { XmlElement } from "./xml-reader.ts";

/** A request whose envelope is open and whose sender is not yet known. */
export interface OpenedRequest {
  readonly version: SoapVersion;
  readonly chargeBoxIdentity: string | undefined;
  readonly addressing: Addressing;
  readonly http: IncomingMessage;
  /** Names of deviations that were let pass; more may be added. */
  readonly deviations: Set<string>;
}

/** How an endpoint answers the requests of its peers. */
export interface IncomingSettings {
  readonly role: Role;
  readonly versions: ReadonlySet<SoapVersion>;
  readonly handlers: HandlerTable;
  readonly tolerance: ToleranceHook | undefined;
  readonly observer: EndpointObserver | undefined;
  readonly clock: WallClock;
  readonly maxBodyBytes: number;
  /** Requests in work at a time, of all peers. */
  readonly maxRequests: number;
  /** Requests in work at a time of one peer. */
  readonly maxConcurrentRequests: number;
  /** Responses from this size on are compressed for peers that accept it. */
  readonly compressionThresholdBytes: number;
  createMessageId(): string;
  from(): string | undefined;
  /** Says whose request it is, at once where that is known. @throws SoapFault when it is refused */
  identify(request: OpenedRequest): Connection | Promise<Connection>;
}

/** As many bodies of the largest size may be on their way at a time, or any number of smaller ones. */
const MAX_UNFINISHED_BODIES = 256;

/** A request that was found good, and what answers it. It knows nothing of the envelope it came in. */
interface AcceptedCall {
  readonly operation: Operation;
  readonly handler: UntypedHandler;
  readonly payload: unknown;
  readonly context: CallContext;
}

/** The requests that come in at an endpoint's own HTTP listener, each answered in its HTTP response. */
export class IncomingSoap {
  readonly #settings: IncomingSettings;
  readonly #replies: ReplySettings;
  readonly #perIdentity = new Map<string, number>();
  readonly #bodies: BodyBudget;
  #pending = 0;
  #running = 0;
  #isStopped = false;
  #idle: (() => void)[] = [];

  constructor(settings: IncomingSettings) {
    this.#settings = settings;
    this.#replies = {
      observer: settings.observer,
      compressionThresholdBytes: settings.compressionThresholdBytes,
      answers: new AnswerBatch(),
      createMessageId: settings.createMessageId,
      from: settings.from,
    };
    this.#bodies = new BodyBudget(MAX_UNFINISHED_BODIES * settings.maxBodyBytes);
  }

  /** Requests that are not answered yet, also those that have not arrived as a whole. */
  get pending(): number {
    return this.#pending;
  }

  /** Answers one POST. Never rejects. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const reply = new SoapReply(request, response, this.#replies);
    this.#pending++;
    try {
      if (this.#isStopped) throw noCapacity();
      // Whoever sends half a request, and waits, takes nobody's place.
      await this.#receive(request).then((body) => this.#withinCapacity(request, body, reply));
    } catch (error) {
      this.#report(reply, error);
      await reply.fault(faultFor(error)).catch(() => response.destroy());
    } finally {
      this.#pending--;
      if (this.#pending === 0) for (const resolve of this.#idle.splice(0)) resolve();
    }
  }

  /** Refuses further requests. Resolves when those in work are answered. */
  stop(): Promise<void> {
    this.#isStopped = true;
    if (this.#pending === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #report(reply: SoapReply, error: unknown): void {
    const { observer } = this.#settings;
    if (reply.connection === undefined) {
      const reason = error instanceof SoapFault ? `refused: ${error.message}` : "broken off";
      const { identity, messageId } = reply;
      observer?.ignored?.({ identity, cause: "unreadable", reason, messageId });
    }
    if (reply.action !== "" && !(error instanceof SoapFault) && !isThrownAnswer(error)) {
      observer?.failed?.({ identity: reply.identity, action: reply.action, error });
    }
  }

  /**
   * Not an asynchronous function, and none of those that see the body or the envelope is: a request may wait long for its
   * commit, many do so at a time, and nothing is to be kept meanwhile but what the answer needs.
   */
  #withinCapacity(request: IncomingMessage, body: Buffer, reply: SoapReply): Promise<void> {
    if (this.#isStopped || this.#running >= this.#settings.maxRequests) throw noCapacity();
    this.#running++;
    try {
      const handled = isEncoded(request)
        ? this.#readEncoded(request, body).then((text) => this.#handle(request, text, reply))
        : this.#handle(request, readText(request, body), reply);
      return this.#untilHandled(handled);
    } catch (error) {
      this.#running--;
      throw error;
    }
  }

  async #untilHandled(handled: Promise<void>): Promise<void> {
    try {
      await handled;
    } finally {
      this.#running--;
    }
  }

  #handle(request: IncomingMessage, text: string, reply: SoapReply): Promise<void> {
    const envelope = openRequest(text);
    const deviations = new Set<string>();
    const { version, namespace } = this.#serviceFor(envelope);
    reply.answers(version, namespace, envelope);
    if (envelope.notUnderstood.length > 0) {
      throw new SoapFault(
        "MustUnderstand",
        undefined,
        `not understood: ${envelope.notUnderstood.join(", ").slice(0, 500)}`,
      );
    }
    const { addressing, chargeBoxIdentity } = envelope;
    const connection = this.#settings.identify({ version, chargeBoxIdentity, addressing, http: request, deviations });
    return connection instanceof Promise
      ? connection.then((identified) => this.#begin(envelope, text, version, identified, reply, deviations))
      : this.#begin(envelope, text, version, connection, reply, deviations);
  }

  #begin(
    envelope: Envelope,
    text: string,
    version: SoapVersion,
    connection: Connection,
    reply: SoapReply,
    deviations: Set<string>,
  ): Promise<void> {
    const operation = findOperation(version, serviceOf(this.#settings.role), envelope.body.name);
    reply.from(connection, operation?.entry.action ?? "", text);
    const { identity } = connection;
    if (operation === undefined) {
      const reason = `OCPP ${version} has no ${envelope.body.name.slice(0, 60)} here`;
      const cause = "unknown-action";
      this.#settings.observer?.refused?.({ identity, version, action: "", cause, reason, evidence: text });
      throw new SoapFault("Receiver", "NotSupported", reason);
    }
    noteDeviations(envelope, operation, deviations);
    this.#takePlace(identity);
    try {
      return this.#answer(this.#accept(envelope.body, operation, connection, reply, deviations), reply);
    } catch (error) {
      this.#leavePlace(identity);
      throw error;
    }
  }

  async #receive(request: IncomingMessage): Promise<Buffer> {
    try {
      if (request.headers["content-type"]?.trimStart().toLowerCase().startsWith("multipart/")) {
        throw new HttpBodyError(415, "attachments, which OCPP-S does not have");
      }
      return await receiveBody(request, this.#settings.maxBodyBytes, this.#bodies);
    } catch (cause) {
      throw bodyFault(cause);
    }
  }

  async #readEncoded(request: IncomingMessage, body: Buffer): Promise<string> {
    try {
      return readText(request, await decompressBody(request, body, this.#settings.maxBodyBytes));
    } catch (cause) {
      throw bodyFault(cause);
    }
  }

  #serviceFor(envelope: Envelope): { version: SoapVersion; namespace: string } {
    const { namespace } = envelope.body;
    const found = findService(namespace);
    if (found?.service !== serviceOf(this.#settings.role) || !this.#settings.versions.has(found.version)) {
      throw new SoapFault("Sender", "ProtocolError", "the body is not in the namespace of a service offered here");
    }
    return { version: found.version, namespace };
  }

  #takePlace(identity: string): void {
    const running = this.#perIdentity.get(identity) ?? 0;
    if (running >= this.#settings.maxConcurrentRequests) {
      throw new SoapFault("Receiver", "InternalError", `${running} requests are in work already`, UNAVAILABLE);
    }
    this.#perIdentity.set(identity, running + 1);
  }

  #leavePlace(identity: string): void {
    const left = (this.#perIdentity.get(identity) ?? 1) - 1;
    if (left === 0) this.#perIdentity.delete(identity);
    else this.#perIdentity.set(identity, left);
  }

  #accept(
    body: XmlElement,
    operation: Operation,
    connection: Connection,
    reply: SoapReply,
    deviations: Set<string>,
  ): AcceptedCall {
    const { handlers, clock } = this.#settings;
    const { action, version } = operation.entry;
    const handler = handlers.of(version).get(action) ?? handlers.fallback;
    if (handler === undefined) throw new SoapFault("Receiver", "NotSupported", `${action} is not supported here`);
    const receivedAt = clock.now();
    const decoded = operation.request.decode(body, deviations);
    this.#requireTolerance(operation.entry, connection.identity, deviations, decoded);
    const { payload, rules } = this.#check(operation, connection.identity, decoded, deviations);
    const context = { connection, action, messageId: reply.messageId, receivedAt, tolerances: rules };
    return { operation, handler, payload, context };
  }

  async #answer({ operation, handler, payload, context }: AcceptedCall, reply: SoapReply): Promise<void> {
    try {
      const answer = await handler(payload, context);
      const { entry, response, responseElement } = operation;
      const violation = entry.validateResponse(answer);
      if (violation !== undefined) throw new ValidationError(entry.version, entry.action, "response", violation);
      await reply.result(response.encode(responseElement, reply.namespace, answer));
    } finally {
      this.#leavePlace(context.connection.identity);
    }
  }

  /** @throws SoapFault when a deviation may not pass */
  #requireTolerance(
    { version, action }: CatalogueEntry,
    identity: string,
    deviations: ReadonlySet<string>,
    evidence: unknown,
  ): void {
    const { tolerance, observer } = this.#settings;
    const rule = refusedTolerance(tolerance, { identity, version }, deviations);
    if (rule === undefined) return;
    observer?.refused?.({ identity, version, action, cause: "not-tolerated", reason: rule, evidence });
    throw new SoapFault("Sender", "ProtocolError", `${action}: ${rule} is not tolerated of this station`);
  }

  #check(
    { entry }: Operation,
    identity: string,
    payload: unknown,
    deviations: ReadonlySet<string>,
  ): { payload: unknown; rules: readonly string[] } {
    const { tolerance, observer } = this.#settings;
    const { version, action } = entry;
    for (const rule of deviations) observer?.tolerated?.({ identity, version, action, rule, evidence: payload });
    const violation = entry.validateRequest(payload);
    if (violation === undefined) return { payload, rules: [...deviations] };
    const checked = applyTolerance(identity, entry, "request", payload, violation, tolerance, observer);
    if (checked.violation === undefined) return { payload: checked.payload, rules: [...deviations, ...checked.rules] };
    // OCPP-S 1.6 table 1: a message that does not comply with the specification is the sender's ProtocolError.
    throw new SoapFault("Sender", "ProtocolError", `${action}: ${describeViolation(checked.violation)}`);
  }
}
