import type { Metrics } from "./metrics.ts";

/** What is told of the database. */
export interface DatabaseState {
  /** Why it is away; undefined while it answers. */
  readonly away: string | undefined;
  /** Why it takes no writes; undefined while it does. */
  readonly refusal: string | undefined;
  /** Bytes that are free on the disk of the embedded database. */
  readonly freeBytes: number | undefined;
}

/** Shows the state of the database among the metrics. */
export function registerDatabaseMetrics(metrics: Metrics, state: () => DatabaseState): void {
  metrics.gauge({
    name: "polyphase_database_up",
    help: "1 while the database answers, else 0",
    collect() {
      this.set(state().away === undefined ? 1 : 0);
    },
  });
  metrics.gauge({
    name: "polyphase_database_writable",
    help: "1 while the database takes writes, else 0",
    collect() {
      const { away, refusal } = state();
      this.set(away === undefined && refusal === undefined ? 1 : 0);
    },
  });
  metrics.gauge({
    name: "polyphase_database_free_bytes",
    help: "Bytes that are free on the disk of the embedded database",
    collect() {
      this.reset();
      const { freeBytes } = state();
      if (freeBytes !== undefined) this.set(freeBytes);
    },
  });
}
