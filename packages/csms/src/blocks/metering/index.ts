import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { Kysely } from "kysely";
import type { WriteUnit } from "../../database/write-unit.ts";
import { meteringRoutes } from "./api.ts";
import { contentKey } from "./content-key.ts";
import { type MeterValue, samplesToJson } from "./meter-sample.ts";
import {
  insertMeterValue,
  type MeterValueFilter,
  type MeterValueOrigin,
  type MeterValuePosition,
  meterValueRow,
  readMeterValues,
  type SeriesSummary,
  type StoredMeterValue,
  summariseMeterValues,
} from "./store.ts";

export { meterValueSchema, summarySchema, toMeterValueJson, toSummaryJson } from "./api.ts";
export { contentKey } from "./content-key.ts";
export {
  type EnergyConfidence,
  type EnergyFacts,
  type EnergyFlow,
  type EnergyMethod,
  type EnergyNote,
  type EnergySample,
  type EnergyTotal,
  energyOf,
  energySamplesOf,
  toMilliWh,
} from "./energy.ts";
export { type EnergyBounds, EnergyTally, type StoredTally } from "./energy-tally.ts";
export type { MeterSample, MeterValue, SignedMeterValue } from "./meter-sample.ts";
export { migrations } from "./migrations.ts";
export { meterValuesOf1 } from "./ocpp1.ts";
export { meterValuesOf2 } from "./ocpp2.ts";
export {
  type MeterValueFilter,
  type MeterValueOrigin,
  type MeterValuePosition,
  meterValuePartitions,
  type SeriesSummary,
  type StoredMeterValue,
} from "./store.ts";

/** What metering works with. */
export interface MeteringDependencies {
  readonly database: Kysely<unknown>;
}

/**
 * Block J, metering: what stations measure, in one normal form. MeterValues messages themselves are answered by the
 * block transactions, because it knows which transaction runs on the EVSE that was measured.
 */
export interface Metering {
  readonly api: FastifyPluginAsyncTypebox;
  /**
   * Adds values to a unit. `source` identifies the message among those of the station, so that its repeat changes
   * nothing; without it values with the same content are the same.
   */
  store(unit: WriteUnit, origin: MeterValueOrigin, values: readonly MeterValue[], source?: string): void;
  /** Stored values in order of time. */
  read(
    filter: MeterValueFilter,
    page?: { readonly limit?: number; readonly after?: MeterValuePosition | undefined },
  ): Promise<StoredMeterValue[]>;
  /** Summaries of numeric values by series and span of time. */
  summarise(filter: MeterValueFilter, bucketMs?: number): Promise<SeriesSummary[]>;
}

/** Makes the block. */
export function createMetering({ database }: MeteringDependencies): Metering {
  return {
    api: meteringRoutes(database),
    store(unit, origin, values, source) {
      values.forEach((value, index) => {
        const key =
          source === undefined
            ? `${origin.evseId ?? ""}:${contentKey(samplesToJson(value.samples))}`
            : `${source}:${index}`;
        unit.add(insertMeterValue, meterValueRow(origin, value, key));
      });
    },
    read: (filter, page) => readMeterValues(database, filter, page),
    summarise: (filter, bucketMs) => summariseMeterValues(database, filter, bucketMs),
  };
}
