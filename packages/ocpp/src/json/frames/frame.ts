import type { ErrorCode } from "../../error-codes.ts";

/** Longest message id (OCPP-J 1.6 §4.1.4, 2.x Part 4 §4.1.4), in characters. */
export const maxMessageIdLength = 36;

/** Longest errorDescription (2.x Part 4 §4.2.3), in characters. */
export const maxErrorDescriptionLength = 255;

/** The id that answers a request whose own id cannot be read (2.x Part 4 §4.2.3). */
export const unreadableMessageId = "-1";

/** CALL, or SEND of 2.1. */
export interface RequestFrame {
  readonly kind: "CALL" | "SEND";
  readonly messageId: string;
  readonly action: string;
  readonly payload: unknown;
}

/** CALLRESULT. */
export interface ResultFrame {
  readonly kind: "CALLRESULT";
  readonly messageId: string;
  readonly payload: unknown;
}

/** CALLERROR, or CALLRESULTERROR of 2.1. */
export interface ErrorFrame {
  readonly kind: "CALLERROR" | "CALLRESULTERROR";
  readonly messageId: string;
  /** The code as the peer spelled it. */
  readonly code: string;
  readonly description: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** A frame that is none of the version's message types. */
export interface MalformedFrame {
  readonly kind: "malformed";
  /** Empty where it cannot be read. */
  readonly messageId: string;
  readonly reason: string;
  /** Code of the CALLERROR that the version wants as answer; undefined where it wants none. */
  readonly answer: ErrorCode | undefined;
  /** It is a broken CALLRESULT: the call it names has failed. */
  readonly isResult: boolean;
}

/** What one WebSocket message can be. */
export type Frame = RequestFrame | ResultFrame | ErrorFrame | MalformedFrame;
