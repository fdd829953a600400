import type { RequestOf, ResponseOf } from "@polyphase/ocpp";
import type { CsmsAction, StationCallOptions } from "./station-messages.ts";

/** How a command in 2.1 words is carried out on a station of family 1. */
export type Family1Command<A extends CsmsAction<2>> = (
  stationId: string,
  request: RequestOf<"2.1", A>,
  options: StationCallOptions,
) => Promise<ResponseOf<"2.1", A>>;

/** The translations by action. Indexing it keeps the literals of an inline translation's response. */
export type Family1Commands = { readonly [A in CsmsAction<2>]: Family1Command<A> };

/**
 * The commands an operator may give, named as the actions of 2.1 in lower camel case
 * (`requestStartTransaction`). Stations of family 2 take every one as it is; blocks say how family 1 does it.
 */
export interface CommandRegistry {
  /** Registers the translation of one command for family 1. */
  translate<A extends CsmsAction<2>>(action: A, command: Family1Commands[A]): void;
  /**
   * Runs before the request is validated and sent to a station of either family, in the order of registration, for
   * example to give a remoteStartId that the caller left out. May change the request.
   */
  prepare<A extends CsmsAction<2>>(
    action: A,
    step: (stationId: string, request: RequestOf<"2.1", A>) => RequestOf<"2.1", A> | Promise<RequestOf<"2.1", A>>,
  ): void;
  /**
   * Runs after a station of either family has answered, before the caller gets the response, for example to keep the
   * values that were set. An error in it is logged and does not change the outcome.
   */
  completed<A extends CsmsAction<2>>(
    action: A,
    step: (stationId: string, request: RequestOf<"2.1", A>, response: ResponseOf<"2.1", A>) => void | Promise<void>,
  ): void;
  /** Names of all commands, in lower camel case, with the action each stands for. */
  names(): ReadonlyMap<string, CsmsAction<2>>;
  /**
   * Validates the request by the 2.1 schema, carries it out and returns the response in 2.1 words.
   *
   * @throws UnknownCommandError, ValidationError, CommandNotSupportedError, StationOfflineError, StationTimeoutError, StationAnsweredError
   */
  run(stationId: string, command: string, request: unknown, options?: StationCallOptions): Promise<unknown>;
}

/** There is no command of this name. */
export class UnknownCommandError extends Error {
  override readonly name = "UnknownCommandError";
  readonly command: string;

  constructor(command: string) {
    super(`there is no command ${command}`);
    this.command = command;
  }
}
