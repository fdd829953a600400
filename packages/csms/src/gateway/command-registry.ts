import { catalogue, type RequestOf, type ResponseOf, ValidationError } from "@polyphase/ocpp";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import type { GroupCommit } from "../database/write-unit.ts";
import { type CommandRegistry, type Family1Command, UnknownCommandError } from "./commands.ts";
import {
  CommandNotSupportedError,
  type CsmsAction,
  StationAnsweredError,
  type StationCallOptions,
  type StationCalls,
  StationOfflineError,
  StationTimeoutError,
} from "./station-messages.ts";

type Action = CsmsAction<2>;
type PrepareStep = (stationId: string, request: never) => unknown;
type CompletedStep = (stationId: string, request: never, response: never) => void | Promise<void>;

/**
 * The name of an action as a command: its first word in lower case. Capitals that follow one another are one word up
 * to the one that begins the next: `ClearCache` is `clearCache`, `AFRRSignal` is `afrrSignal`, `GetDERControl` is
 * `getDERControl`.
 */
export function commandName(action: string): string {
  return action.replace(/^(?:[A-Z]+(?=[A-Z][a-z])|[A-Z]+$|[A-Z])/, (word) => word.toLowerCase());
}

/** Every CALL of 2.1 that a CSMS may make, by its command name. */
function commandsOf21(): ReadonlyMap<string, Action> {
  const names = new Map<string, Action>();
  for (const [action, entry] of catalogue("2.1")) {
    if (entry.kind === "CALL" && entry.from !== "ChargingStation") names.set(commandName(action), action as Action);
  }
  return names;
}

/** What {@link StationCommands} works with. */
export interface StationCommandsOptions {
  readonly calls: StationCalls;
  readonly groupCommit: GroupCommit;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Commands in 2.1 words for stations of either family. */
export class StationCommands implements CommandRegistry {
  readonly #calls: StationCalls;
  readonly #groupCommit: GroupCommit;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #names = commandsOf21();
  readonly #translations = new Map<string, Family1Command<Action>>();
  readonly #prepare = new Map<string, PrepareStep[]>();
  readonly #completed = new Map<string, CompletedStep[]>();

  constructor(options: StationCommandsOptions) {
    this.#calls = options.calls;
    this.#groupCommit = options.groupCommit;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  translate<A extends Action>(action: A, command: Family1Command<A>): void {
    if (this.#translations.has(action)) throw new TypeError(`${action} is translated for family 1 already`);
    this.#translations.set(action, command as unknown as Family1Command<Action>);
  }

  prepare<A extends Action>(
    action: A,
    step: (stationId: string, request: RequestOf<"2.1", A>) => RequestOf<"2.1", A> | Promise<RequestOf<"2.1", A>>,
  ): void {
    append(this.#prepare, action, step as PrepareStep);
  }

  completed<A extends Action>(
    action: A,
    step: (stationId: string, request: RequestOf<"2.1", A>, response: ResponseOf<"2.1", A>) => void | Promise<void>,
  ): void {
    append(this.#completed, action, step as CompletedStep);
  }

  names(): ReadonlyMap<string, Action> {
    return this.#names;
  }

  async run(stationId: string, command: string, request: unknown, options: StationCallOptions = {}): Promise<unknown> {
    const action = this.#names.get(command);
    if (action === undefined) throw new UnknownCommandError(command);
    const prepared = await this.#prepared(stationId, action, request);
    const violation = violationOf(action, prepared);
    if (violation !== undefined) throw violation;
    try {
      const response = await this.#send(stationId, action, command, prepared as never, options);
      await this.#complete(stationId, action, prepared as never, response as never);
      this.#report(stationId, command, statusOf(response));
      return response;
    } catch (error) {
      this.#report(stationId, command, outcomeOf(error));
      throw error;
    }
  }

  /** Steps see requests that are not validated yet: where one stumbles over a wrong request, that is what is told. */
  async #prepared(stationId: string, action: Action, request: unknown): Promise<unknown> {
    const steps = this.#prepare.get(action);
    const isObject = typeof request === "object" && request !== null && !Array.isArray(request);
    if (steps === undefined || !isObject) return request;
    try {
      let prepared: unknown = request;
      for (const step of steps) prepared = await step(stationId, prepared as never);
      return prepared;
    } catch (error) {
      throw violationOf(action, request) ?? error;
    }
  }

  #send(
    stationId: string,
    action: Action,
    command: string,
    request: never,
    options: StationCallOptions,
  ): Promise<unknown> {
    const session = this.#calls.session(stationId);
    if (session === undefined) throw new StationOfflineError(stationId);
    if (session.family === 2) return this.#calls.call2(stationId, action, request, options);
    const translation = this.#translations.get(action);
    if (translation === undefined) {
      throw new CommandNotSupportedError(stationId, command, `OCPP ${session.version} has no counterpart`);
    }
    return translation(stationId, request, options);
  }

  async #complete(stationId: string, action: Action, request: never, response: never): Promise<void> {
    for (const step of this.#completed.get(action) ?? []) {
      try {
        await step(stationId, request, response);
      } catch (error) {
        this.#log.error({ err: error, stationId, action }, "the outcome of a command was not recorded");
      }
    }
  }

  #report(stationId: string, command: string, outcome: string): void {
    const data = { command, outcome };
    const event = { type: "command.completed", stationId, timestamp: this.#clock.now(), data } as const;
    const unit = this.#groupCommit.unit().publish(event);
    unit.commit().catch((error: unknown) => {
      this.#log.warn({ err: error, stationId, command }, "the outcome of a command was not published");
    });
  }
}

function append<Step>(table: Map<string, Step[]>, action: string, step: Step): void {
  const steps = table.get(action);
  if (steps === undefined) table.set(action, [step]);
  else steps.push(step);
}

function violationOf(action: Action, request: unknown): ValidationError | undefined {
  const violation = catalogue("2.1").get(action)?.validateRequest(request);
  return violation === undefined ? undefined : new ValidationError("2.1", action, "request", violation);
}

/** What the station said, in one word. */
function statusOf(response: unknown): string {
  const { status } = response as { readonly status?: unknown };
  return typeof status === "string" ? status : "Answered";
}

function outcomeOf(error: unknown): string {
  if (error instanceof StationOfflineError) return "Offline";
  if (error instanceof StationTimeoutError) return "Timeout";
  if (error instanceof StationAnsweredError) return `Error ${error.code}`;
  return error instanceof CommandNotSupportedError ? "NotSupported" : "Failed";
}
