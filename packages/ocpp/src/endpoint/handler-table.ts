import { catalogue } from "../catalogue/catalogue.ts";
import type { OcppVersion, Role } from "../catalogue/version.ts";
import type { CallContext } from "../connection.ts";

/** A handler whose types were checked when it was registered. */
export type UntypedHandler = (payload: unknown, context: CallContext) => unknown;

/** The handlers of an endpoint, by version and action. */
export class HandlerTable {
  readonly #role: Role;
  readonly #byVersion = new Map<OcppVersion, Map<string, UntypedHandler>>();
  /** Answers what has no handler of its own. */
  fallback: UntypedHandler | undefined;

  constructor(role: Role) {
    this.#role = role;
  }

  /**
   * Registers or replaces the handler of an action.
   *
   * @throws TypeError when the version has no such action for the peer to send
   */
  set(version: OcppVersion, action: string, handler: UntypedHandler): void {
    const entry = catalogue(version).get(action);
    if (entry === undefined || entry.from === this.#role) {
      throw new TypeError(`nobody sends ${action} of OCPP ${version} to the ${this.#role}`);
    }
    this.of(version).set(action, handler);
  }

  /** The handlers of one version; the map grows as handlers are registered. */
  of(version: OcppVersion): Map<string, UntypedHandler> {
    let handlers = this.#byVersion.get(version);
    if (handlers === undefined) {
      handlers = new Map();
      this.#byVersion.set(version, handlers);
    }
    return handlers;
  }
}
