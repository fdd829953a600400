type End = () => Promise<void> | void;

const held = new Set<() => Promise<void>>();

/**
 * Keeps in mind what has to be ended or removed however a case ends: processes, folders. Returns what does it now;
 * doing it again changes nothing.
 */
export function holding(end: End): () => Promise<void> {
  let ending: Promise<void> | undefined;
  const once = (): Promise<void> => {
    // Kept until it is done, so that who is interrupted and who cleans up after it wait for the same.
    ending ??= Promise.resolve()
      .then(end)
      .finally(() => held.delete(once));
    return ending;
  };
  held.add(once);
  return once;
}

/** Ends what a case that failed or was interrupted has left behind, the newest first. */
export async function endLeftovers(): Promise<void> {
  for (const end of [...held].reverse()) {
    await end().catch((error: unknown) => console.error("Something is left behind:", error));
  }
}
