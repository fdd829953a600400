import type { OcppVersion } from "../../catalogue/version.ts";
import type { EndpointObserver, IgnoredCause, RefusedCause, WireMessage } from "../../connection.ts";
import { type ErrorCode, wireErrorCode } from "../../error-codes.ts";
import { writeError, writeRequest, writeResult } from "../frames/write-frame.ts";
import type { Transport } from "./transport.ts";

type Kind = WireMessage["kind"];
type Details = Readonly<Record<string, unknown>>;

/** Who is at the other end, and over what. */
export interface PeerIdentity {
  readonly identity: string;
  readonly version: OcppVersion;
  readonly remoteAddress: string;
}

/**
 * The wire to one peer, with the endpoint's observer watching it: what goes out is written here, and what came in is
 * noted here, with what became of it.
 */
export class Wire {
  readonly identity: string;
  readonly version: OcppVersion;
  readonly #transport: Transport;
  readonly #observer: EndpointObserver | undefined;
  #isCut = false;

  constructor(peer: PeerIdentity, transport: Transport, observer: EndpointObserver | undefined) {
    this.identity = peer.identity;
    this.version = peer.version;
    this.#transport = transport;
    this.#observer = observer;
  }

  /** Nothing is written from here on. */
  cut(): void {
    this.#isCut = true;
  }

  /** Sends a CALL that was written when it was made. */
  sendCall(call: {
    readonly text: string;
    readonly messageId: string;
    readonly entry: { readonly action: string };
  }): void {
    this.#write(call.text, "CALL", call.messageId, call.entry.action);
  }

  /** Sends a message that is never answered. @throws TypeError, RangeError when the payload cannot be written as JSON */
  sendUnanswered(messageId: string, action: string, payload: unknown): void {
    this.#write(writeRequest("SEND", messageId, action, payload), "SEND", messageId, action);
  }

  /** Answers a request. @throws TypeError, RangeError when the payload cannot be written as JSON */
  sendResult(messageId: string, action: string, payload: unknown): void {
    this.#write(writeResult(messageId, payload), "CALLRESULT", messageId, action);
  }

  /** Answers a request with an error. */
  sendError(messageId: string, action: string, code: ErrorCode, description: string, details?: Details): void {
    const text = writeError(this.version, "CALLERROR", messageId, code, description, details);
    this.#write(text, "CALLERROR", messageId, action, wireErrorCode(this.version, code));
  }

  /** Tells the peer that its response cannot be taken, where the version has a way (2.1 Part 4 §4.2.3). */
  sendResultError(messageId: string, action: string, code: ErrorCode, description: string, details: Details): void {
    if (this.version !== "2.1") return;
    const text = writeError("2.1", "CALLRESULTERROR", messageId, code, description, details);
    this.#write(text, "CALLRESULTERROR", messageId, action, code);
  }

  /** A message came in, whatever becomes of it. */
  received(kind: Kind, text: string, messageId: string, action: string, errorCode?: string): void {
    if (this.#observer?.message !== undefined) this.#observe("received", text, kind, messageId, action, errorCode);
  }

  /** It was dropped without an answer that the peer waits for. */
  ignored(cause: IgnoredCause, reason: string, messageId: string, evidence: unknown): void {
    this.#observer?.ignored?.({ identity: this.identity, cause, reason, messageId, evidence });
  }

  /** It was turned away before its payload was looked at. */
  refused(action: string, cause: RefusedCause, reason: string, evidence: unknown): void {
    const { identity, version } = this;
    this.#observer?.refused?.({ identity, version, action, cause, reason, evidence });
  }

  /** It broke a rule, and another rule let it pass. */
  tolerated(action: string, rule: string, evidence: unknown): void {
    const { identity, version } = this;
    this.#observer?.tolerated?.({ identity, version, action, rule, evidence });
  }

  /** Something of ours failed on it. */
  failed(action: string, error: unknown): void {
    this.#observer?.failed?.({ identity: this.identity, action, error });
  }

  #write(text: string, kind: Kind, messageId: string, action: string, errorCode?: string): void {
    if (this.#isCut) return;
    this.#transport.sendText(text);
    if (this.#observer?.message !== undefined) this.#observe("sent", text, kind, messageId, action, errorCode);
  }

  #observe(
    direction: WireMessage["direction"],
    text: string,
    kind: Kind,
    messageId: string,
    action: string,
    errorCode: string | undefined,
  ): void {
    const { identity, version } = this;
    const message = { identity, version, transport: "OCPP-J", direction, kind, action, messageId, text } as const;
    this.#observer?.message?.(errorCode === undefined ? message : { ...message, errorCode });
  }
}
