import { type Kysely, sql } from "kysely";
import type { WriteStatement } from "../../database/write-unit.ts";
import type { StationTolerances } from "./station-tolerances.ts";

/** Removes the decisions about a station. */
export const deleteTolerances: WriteStatement<{ readonly station_id: string }> = {
  name: "station-tolerance-delete",
  order: 6,
  columns: { station_id: "text" },
  sql: (rows) => `delete from station_tolerance where station_id in (select station_id from ${rows})`,
  key: (row) => row.station_id,
};

/** Keeps the decisions about tolerance rules in `station_tolerance`. */
export class ToleranceSettings {
  readonly #database: Kysely<unknown>;
  readonly #tolerances: StationTolerances;

  constructor(database: Kysely<unknown>, tolerances: StationTolerances) {
    this.#database = database;
    this.#tolerances = tolerances;
  }

  /** Reads every decision into memory. */
  async load(): Promise<void> {
    const { rows } = await sql<{ readonly stationId: string; readonly rule: string; readonly enabled: boolean }>`
      select station_id as "stationId", rule, enabled from station_tolerance`.execute(this.#database);
    for (const { stationId, rule, enabled } of rows) this.#tolerances.override(stationId, rule, enabled);
  }

  /** Stores a decision, or returns a rule to its default; it applies from then on. */
  async set(stationId: string, rule: string, enabled: boolean | undefined): Promise<void> {
    if (enabled === undefined) {
      await sql`delete from station_tolerance where station_id = ${stationId} and rule = ${rule}`.execute(
        this.#database,
      );
    } else {
      await sql`
        insert into station_tolerance (station_id, rule, enabled) values (${stationId}, ${rule}, ${enabled})
        on conflict (station_id, rule) do update set enabled = excluded.enabled`.execute(this.#database);
    }
    this.#tolerances.override(stationId, rule, enabled);
  }
}
