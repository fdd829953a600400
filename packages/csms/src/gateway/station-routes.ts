import type {
  StationAction,
  StationMessageHandler,
  StationMessageHandlers,
  StationMessageRoutes,
} from "./station-messages.ts";

/** A registered handler whose types are known to its registration only. */
export type UntypedHandler = (
  request: never,
  context: Parameters<StationMessageHandler<1, "Heartbeat">>[1],
) => unknown | Promise<unknown>;

/** The routing tables of both families. */
export class RegisteredRoutes implements StationMessageRoutes {
  readonly #family1 = new Map<string, UntypedHandler>();
  readonly #family2 = new Map<string, UntypedHandler>();

  on1<A extends StationAction<1>>(action: A, handler: StationMessageHandlers<1>[A]): void {
    register(this.#family1, action, handler, 1);
  }

  on2<A extends StationAction<2>>(action: A, handler: StationMessageHandlers<2>[A]): void {
    register(this.#family2, action, handler, 2);
  }

  /** The handler of an action, or undefined when no block answers it. */
  find(family: 1 | 2, action: string): UntypedHandler | undefined {
    return (family === 1 ? this.#family1 : this.#family2).get(action);
  }
}

function register(
  table: Map<string, UntypedHandler>,
  action: string,
  handler: (request: never, context: Parameters<UntypedHandler>[1]) => unknown,
  family: number,
): void {
  if (table.has(action)) throw new TypeError(`${action} of family ${family} is answered already`);
  table.set(action, handler);
}
