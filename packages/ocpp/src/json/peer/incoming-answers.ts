import { isFamily2 } from "../../catalogue/version.ts";
import { applyTolerance } from "../../endpoint/payload-check.ts";
import { refusedTolerance } from "../../endpoint/tolerances.ts";
import { type ErrorCode, isErrorCodeOf } from "../../error-codes.ts";
import { OcppError, PeerError, ValidationError } from "../../errors.ts";
import { type ErrorFrame, type ResultFrame, unreadableMessageId } from "../frames/frame.ts";
import type { OutgoingCall } from "./outgoing-call.ts";
import type { OutgoingCalls } from "./outgoing-calls.ts";
import type { PeerSettings } from "./peer-settings.ts";
import { isFlattenedJws } from "./signed-messages.ts";
import type { Wire } from "./wire.ts";

/** Whose calls are answered. */
export interface AnsweredPeer {
  /** A call is settled; the next one may go out. */
  callSettled(): void;
}

function asOcppError(error: unknown): OcppError {
  if (error instanceof OcppError) return error;
  return new OcppError("InternalError", "the response could not be processed", { cause: error });
}

/** What one peer answers to our calls: matched with the call it is for, checked, and handed to who waits for it. */
export class IncomingAnswers {
  readonly #settings: PeerSettings;
  readonly #wire: Wire;
  readonly #calls: OutgoingCalls;
  readonly #peer: AnsweredPeer;

  constructor(settings: PeerSettings, wire: Wire, calls: OutgoingCalls, peer: AnsweredPeer) {
    this.#settings = settings;
    this.#wire = wire;
    this.#calls = calls;
    this.#peer = peer;
  }

  /** Takes a CALLRESULT. */
  result(text: string, frame: ResultFrame): void {
    const { messageId } = frame;
    const call = this.#calls.take(messageId);
    if (typeof call === "string") {
      this.#wire.received(frame.kind, text, messageId, "");
      this.#wire.ignored("unasked-answer", call, messageId, text);
      return;
    }
    const { action } = call.entry;
    this.#wire.received(frame.kind, text, messageId, action);
    const { identity, version } = this.#wire;
    const { signing } = this.#settings;
    if (isFamily2(version) && isFlattenedJws(frame.payload)) {
      signing.open(frame.payload, { identity, version, action, direction: "response" }, 3).then(
        (payload) => this.#complete(call, payload),
        (error: unknown) => this.#refuse(call, asOcppError(error)),
      );
    } else if (signing.requires(identity, version, action, "response")) {
      this.#refuse(call, new OcppError("SecurityError", `the response to ${action} must be signed`));
    } else {
      this.#complete(call, frame.payload);
    }
  }

  /** Takes a CALLERROR or CALLRESULTERROR. */
  error(text: string, frame: ErrorFrame): void {
    const { kind, messageId, code } = frame;
    const call = kind === "CALLERROR" ? this.#calls.take(messageId) : `CALLRESULTERROR ${code}`;
    if (typeof call === "string") {
      this.#wire.received(kind, text, messageId, "", code);
      if (messageId === unreadableMessageId) {
        this.#wire.ignored("not-read-by-peer", `the peer could not read a message: ${code}`, messageId, text);
      } else this.#wire.ignored("unasked-answer", call, messageId, text);
      return;
    }
    const { action } = call.entry;
    this.#wire.received(kind, text, messageId, action, code);
    call.reject(new PeerError(this.#spelled(code, action, text), frame.description, frame.details));
    this.#peer.callSettled();
  }

  /** A CALLRESULT that cannot be read: the call it names has failed. */
  broken(messageId: string, reason: string): void {
    const call = this.#calls.take(messageId);
    if (typeof call === "string") return;
    const violation = { path: "", rule: "frame", expected: reason, kind: "absent" } as const;
    const error = new ValidationError(this.#wire.version, call.entry.action, "response", violation);
    this.#refuse(call, error, "FormatViolation");
  }

  #complete(call: OutgoingCall, payload: unknown): void {
    const { entry } = call;
    const violation = entry.validateResponse(payload);
    if (violation === undefined) {
      this.#settle(call, payload);
      return;
    }
    const { tolerance, observer } = this.#settings;
    const { identity, version } = this.#wire;
    const checked = applyTolerance(identity, entry, "response", payload, violation, tolerance, observer);
    if (checked.violation === undefined) this.#settle(call, checked.payload);
    else this.#refuse(call, new ValidationError(version, entry.action, "response", checked.violation));
  }

  #settle(call: OutgoingCall, payload: unknown): void {
    call.resolve(payload);
    this.#peer.callSettled();
  }

  /** Ends a call whose response cannot be taken, and tells the peer so. */
  #refuse(call: OutgoingCall, error: OcppError, code: ErrorCode = error.code): void {
    this.#wire.sendResultError(call.messageId, call.entry.action, code, error.message, error.details);
    call.reject(error);
    this.#peer.callSettled();
  }

  /** The code as the peer told it; GenericError for a code that its version does not have and that may not pass. */
  #spelled(code: string, action: string, evidence: string): string {
    const { identity, version } = this.#wire;
    if (isErrorCodeOf(version, code)) return code;
    const rule = "json-error-code";
    if (refusedTolerance(this.#settings.tolerance, { identity, version }, [rule]) === undefined) {
      this.#wire.tolerated(action, rule, evidence);
      return code;
    }
    this.#wire.refused(action, "not-tolerated", rule, evidence);
    return "GenericError";
  }
}
