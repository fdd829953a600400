import { OcppError, PeerError, ValidationError } from "../errors.ts";

/** Whether a handler threw this as its answer, and it is not the error of a call that the handler made itself. */
export function isThrownAnswer(error: unknown): error is OcppError {
  return error instanceof OcppError && !(error instanceof PeerError) && !(error instanceof ValidationError);
}
