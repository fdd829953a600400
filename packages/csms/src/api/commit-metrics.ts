import type { GroupCommitCounts } from "../database/group-commit.ts";
import type { Metrics } from "./metrics.ts";

const FIGURES: ReadonlyArray<readonly [keyof GroupCommitCounts, string, string]> = [
  ["groups", "polyphase_commit_groups_total", "Groups of writes that were committed"],
  ["units", "polyphase_commit_units_total", "Messages and commands whose writes were committed"],
  ["rows", "polyphase_commit_rows_total", "Rows that were written by groups"],
  ["refusedUnits", "polyphase_commit_refused_units_total", "Messages whose rows the database refused"],
  ["unavailableUnits", "polyphase_commit_unavailable_units_total", "Messages that the database could not take in time"],
  ["waitingRows", "polyphase_commit_waiting_rows", "Rows that wait for the database"],
  ["waitingUnits", "polyphase_commit_waiting_units", "Messages and commands whose writes wait for the database"],
];

/** Shows what group commit does among the metrics. */
export function registerCommitMetrics(metrics: Metrics, counts: () => GroupCommitCounts): void {
  for (const [key, name, help] of FIGURES) {
    if (key === "waitingRows" || key === "waitingUnits") {
      metrics.gauge({
        name,
        help,
        collect() {
          this.set(counts()[key]);
        },
      });
      continue;
    }
    metrics.counter({
      name,
      help,
      collect() {
        this.reset();
        this.inc(counts()[key]);
      },
    });
  }
}
