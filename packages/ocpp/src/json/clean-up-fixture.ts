const cleanups: (() => unknown)[] = [];

/** Has something undone after the test, last first. */
export function atEnd(cleanup: () => unknown): void {
  cleanups.push(cleanup);
}

/** Undoes what the test opened; for `afterEach` of every file that uses this one. */
export async function cleanUp(): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}
