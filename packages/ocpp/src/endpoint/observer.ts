import type { EndpointObserver } from "../connection.ts";

/** The observer, made harmless: one that throws must not end a connection, let alone the process. */
export function guardedObserver(observer: EndpointObserver | undefined): EndpointObserver | undefined {
  if (observer === undefined) return undefined;
  const guard = <E>(method: ((event: E) => void) | undefined): ((event: E) => void) | undefined =>
    method === undefined
      ? undefined
      : (event) => {
          try {
            method.call(observer, event);
          } catch {
            // There is nobody left to tell.
          }
        };
  const { message, tolerated, violated, ignored, refused, failed } = observer;
  const methods = {
    message: guard(message),
    tolerated: guard(tolerated),
    violated: guard(violated),
    ignored: guard(ignored),
    refused: guard(refused),
    failed: guard(failed),
  };
  return Object.fromEntries(Object.entries(methods).filter(([, method]) => method !== undefined));
}

/** Runs a hook of the caller. A failure of it ends here, and the observer is told. */
export function runHook(observer: EndpointObserver | undefined, identity: string, hook: () => void): void {
  try {
    hook();
  } catch (error) {
    observer?.failed?.({ identity, action: "", error });
  }
}
