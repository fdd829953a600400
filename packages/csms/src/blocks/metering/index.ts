import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { Kysely } from "kysely";
import type { Logger } from "pino";
import type { Clock } from "../../clock.ts";
import type { WriteUnit } from "../../database/write-unit.ts";
import { meteringRoutes } from "./api.ts";
import { contentKey } from "./content-key.ts";
import { HourKeeper } from "./hour-keeper.ts";
import { type MeterValue, samplesToJson } from "./meter-sample.ts";
import { type SeriesSummary, summariseMeterValues } from "./series-summaries.ts";
import {
  insertMeterValue,
  type MeterValueFilter,
  type MeterValueOrigin,
  type MeterValuePosition,
  meterValueRow,
  readMeterValues,
  type StoredMeterValue,
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
export { hourSumPartitions, storeHourSums } from "./hour-sums.ts";
export type { MeterSample, MeterValue, SignedMeterValue } from "./meter-sample.ts";
export { migrations } from "./migrations.ts";
export { meterValuesOf1 } from "./ocpp1.ts";
export { meterValuesOf2 } from "./ocpp2.ts";
export type { SeriesSummary } from "./series-summaries.ts";
export {
  type MeterValueFilter,
  type MeterValueOrigin,
  type MeterValuePosition,
  meterValuePartitions,
  type StoredMeterValue,
} from "./store.ts";

/** What metering works with. */
export interface MeteringDependencies {
  readonly database: Kysely<unknown>;
  readonly clock: Clock;
  readonly log: Logger;
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
  /** Sums up hours that are over, now; done from time to time after {@link load}. */
  settleHours(): Promise<void>;
  load(): Promise<void>;
  close(): Promise<void>;
}

/** Makes the block. */
export function createMetering({ database, clock, log }: MeteringDependencies): Metering {
  const hours = new HourKeeper({ database, clock, log });
  return {
    api: meteringRoutes(database),
    store(unit, origin, values, source) {
      const receivedAtMs = origin.receivedAt.getTime();
      values.forEach((value, index) => {
        hours.stored(origin.stationId, value.atMs, receivedAtMs);
        const key =
          source === undefined
            ? `${origin.evseId ?? ""}:${contentKey(samplesToJson(value.samples))}`
            : `${source}:${index}`;
        unit.add(insertMeterValue, meterValueRow(origin, value, key));
      });
    },
    read: (filter, page) => readMeterValues(database, filter, page),
    summarise: (filter, bucketMs) => summariseMeterValues(database, filter, bucketMs),
    settleHours: () => hours.settle(),
    load: async () => hours.start(),
    close: () => hours.close(),
  };
}
