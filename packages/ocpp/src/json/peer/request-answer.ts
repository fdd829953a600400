import type { CatalogueEntry } from "../../catalogue/catalogue.ts";
import type { UntypedHandler } from "../../endpoint/handler-table.ts";
import { isThrownAnswer } from "../../endpoint/thrown-answer.ts";
import { OcppError, ValidationError } from "../../errors.ts";
import type { Violation } from "../../validation/violation.ts";
import type { RequestFrame } from "../frames/frame.ts";
import type { SignedMessages } from "./signed-messages.ts";
import type { Wire } from "./wire.ts";

/** A request on its way through its handler. */
export interface Job {
  readonly frame: RequestFrame;
  readonly entry: CatalogueEntry;
  readonly handler: UntypedHandler;
  readonly receivedAt: Date;
  readonly isSigned: boolean;
  /** What a tolerance rule let pass. */
  readonly tolerated?: Violation;
}

function validated({ frame, entry, tolerated }: Job, answer: unknown): unknown {
  const violation = entry.validateResponse(answer);
  if (violation === undefined) return answer;
  // A response may repeat what the request held; where a rule let that pass, it is the peer's fault and not ours.
  if (tolerated !== undefined) {
    const { code, message, details } = new ValidationError(entry.version, frame.action, "request", tolerated);
    throw new OcppError(code, message, { details });
  }
  throw new ValidationError(entry.version, frame.action, "response", violation);
}

/** Answers a request with what its handler returned. Never throws: what cannot be sent becomes an error. */
export function answer(wire: Wire, job: Job, returned: unknown): void {
  const { frame } = job;
  if (frame.kind === "SEND") return;
  try {
    wire.sendResult(frame.messageId, frame.action, validated(job, returned));
  } catch (error) {
    answerFailure(wire, frame, error);
  }
}

/** As {@link answer}, signed (2.x Part 4 §7.2). */
export async function answerSigned(wire: Wire, signing: SignedMessages, job: Job, returned: unknown): Promise<void> {
  const { frame } = job;
  try {
    const jws = await signing.sign(frame.action, 3, validated(job, returned));
    wire.sendResult(frame.messageId, frame.action, jws);
  } catch (error) {
    answerFailure(wire, frame, error);
  }
}

/** Answers a request with the error that its handler threw, or with InternalError for what was not meant to go out. */
export function answerFailure(wire: Wire, frame: RequestFrame, error: unknown): void {
  const { messageId, action, kind } = frame;
  if (isThrownAnswer(error)) {
    if (kind === "CALL") wire.sendError(messageId, action, error.code, error.message, error.details);
    return;
  }
  wire.failed(action, error);
  // Nothing of the error goes out: it may hold what the peer must not know.
  if (kind === "CALL") wire.sendError(messageId, action, "InternalError", "the request could not be processed");
}
