import { type Kysely, sql } from "kysely";
import type { WriteStatement } from "../../database/write-unit.ts";
import type { ModelDecision } from "./model-decisions.ts";
import type { StationTolerances } from "./station-tolerances.ts";

/** Removes the decisions about a station. */
export const deleteTolerances: WriteStatement<{ readonly station_id: string }> = {
  name: "station-tolerance-delete",
  order: 6,
  columns: { station_id: "text" },
  sql: (rows) => `delete from station_tolerance where station_id in (select station_id from ${rows})`,
  key: (row) => row.station_id,
};

/** Keeps the decisions about tolerance rules in `station_tolerance` and `model_tolerance`. */
export class ToleranceSettings {
  readonly #database: Kysely<unknown>;
  readonly #tolerances: StationTolerances;

  constructor(database: Kysely<unknown>, tolerances: StationTolerances) {
    this.#database = database;
    this.#tolerances = tolerances;
  }

  /** Reads every decision into memory. */
  async load(): Promise<void> {
    const ofStations = await sql<{ readonly stationId: string; readonly rule: string; readonly enabled: boolean }>`
      select station_id as "stationId", rule, enabled from station_tolerance`.execute(this.#database);
    for (const { stationId, rule, enabled } of ofStations.rows) this.#tolerances.decide(stationId, rule, enabled);
    const ofModels = await sql<ModelDecision>`
      select vendor_name as "vendorName", model, rule, enabled from model_tolerance`.execute(this.#database);
    for (const decision of ofModels.rows) this.#tolerances.models.set(decision);
  }

  /** Stores a decision about a station, or takes it back; it counts from then on. */
  async decide(stationId: string, rule: string, enabled: boolean | undefined): Promise<void> {
    if (enabled === undefined) {
      await sql`delete from station_tolerance where station_id = ${stationId} and rule = ${rule}`.execute(
        this.#database,
      );
    } else {
      await sql`
        insert into station_tolerance (station_id, rule, enabled) values (${stationId}, ${rule}, ${enabled})
        on conflict (station_id, rule) do update set enabled = excluded.enabled`.execute(this.#database);
    }
    this.#tolerances.decide(stationId, rule, enabled);
  }

  /** Stores a decision about a model; it counts from then on. */
  async decideModel(decision: ModelDecision): Promise<void> {
    const { vendorName, model, rule, enabled } = decision;
    await sql`
      insert into model_tolerance (vendor_name, model, rule, enabled)
      values (${vendorName}, ${model}, ${rule}, ${enabled})
      on conflict (lower(vendor_name), lower(model), rule)
      do update set vendor_name = excluded.vendor_name, model = excluded.model, enabled = excluded.enabled`.execute(
      this.#database,
    );
    this.#tolerances.models.set(decision);
  }

  /** Takes a decision about a model back. */
  async forgetModel(decision: Omit<ModelDecision, "enabled">): Promise<void> {
    const { vendorName, model, rule } = decision;
    await sql`
      delete from model_tolerance
      where lower(vendor_name) = lower(${vendorName}) and lower(model) = lower(${model}) and rule = ${rule}`.execute(
      this.#database,
    );
    this.#tolerances.models.delete(decision);
  }
}
