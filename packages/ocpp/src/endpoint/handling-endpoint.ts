import type { OcppVersion, Role } from "../catalogue/version.ts";
import type { FallbackHandler, Handlers } from "../connection.ts";
import type { HandlerTable, UntypedHandler } from "./handler-table.ts";

/** An endpoint as far as it is told what answers its peers. `R` is its own role, `V` are the versions it speaks. */
export abstract class HandlingEndpoint<R extends Role, V extends OcppVersion = OcppVersion> {
  readonly #handlers: HandlerTable;

  constructor(handlers: HandlerTable) {
    this.#handlers = handlers;
  }

  /**
   * Registers what answers an action of peers of one version.
   *
   * @throws TypeError when peers of this version do not send the action
   */
  handle<Spoken extends V, A extends keyof Handlers<Spoken, R> & string>(
    version: Spoken,
    action: A,
    handler: Handlers<Spoken, R>[A],
  ): this {
    this.#handlers.set(version, action, handler as unknown as UntypedHandler);
    return this;
  }

  /** Registers what answers every other action of every version; without it the answer is NotSupported. */
  handleOthers(handler: FallbackHandler<R>): this {
    this.#handlers.fallback = handler as unknown as UntypedHandler;
    return this;
  }
}
