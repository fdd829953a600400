import { afterEach, describe, expect, it } from "vitest";
import { onlyTransactionOf, RawStation } from "../system/raw-station.ts";
import type { Item } from "../system/running-csms.ts";
import { RestartableCsms } from "./restartable-csms.ts";

const homeZone = process.env.TZ;

afterEach(() => {
  if (homeZone === undefined) delete process.env.TZ;
  else process.env.TZ = homeZone;
});

/** What stations write as time, and the moment that is. */
const MOMENTS: readonly (readonly [written: string, moment: string])[] = [
  // Before zones were whole minutes; Apia's local mean time was 23 seconds off them, São Paulo's 28.
  ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"],
  ["1892-07-04T12:00:00Z", "1892-07-04T12:00:00.000Z"],
  ["1914-01-01T03:06:28Z", "1914-01-01T03:06:28.000Z"],
  ["1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"],
  ["1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"],
  // Apia had no 30 December 2011.
  ["2011-12-30T12:00:00Z", "2011-12-30T12:00:00.000Z"],
  ["2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"],
  // São Paulo had no midnight on this day.
  ["2018-11-04T00:30:00", "2018-11-04T00:30:00.000Z"],
  ["2018-11-04T00:30:00-03:00", "2018-11-04T03:30:00.000Z"],
  // Berlin has no half past two on this day, and has it twice on that.
  ["2026-03-29T02:30:00", "2026-03-29T02:30:00.000Z"],
  ["2026-03-29T02:30:00+01:00", "2026-03-29T01:30:00.000Z"],
  ["2026-10-25T02:30:00+02:00", "2026-10-25T00:30:00.000Z"],
  ["2026-10-25T02:30:00+01:00", "2026-10-25T01:30:00.000Z"],
  ["2026-03-10T12:00:00.1234567Z", "2026-03-10T12:00:00.123Z"],
  ["2026-03-10T17:45:00+05:45", "2026-03-10T12:00:00.000Z"],
  ["2026-03-10T23:59:59.999+14:00", "2026-03-10T09:59:59.999Z"],
  ["9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"],
];

interface Told {
  readonly written: string;
  readonly startedAt: unknown;
  readonly events: readonly unknown[];
  readonly meterValues: readonly unknown[];
  readonly energyWh: unknown;
  readonly connector: unknown;
}

/** Plays one transaction per moment and returns all times that the API tells of it, also after a restart. */
async function play(running: RestartableCsms): Promise<readonly Told[]> {
  const stations = MOMENTS.map((_, index) => `ZONE-${index}`);
  for (const [index, [written]] of MOMENTS.entries()) {
    const station = await RawStation.boot2(running, stations[index] ?? "");
    const meterValue = [1_000, 1_700].map((value) => ({ timestamp: written, sampledValue: [{ value }] }));
    const common = { timestamp: written, transactionInfo: { transactionId: "T" }, evse: { id: 1, connectorId: 1 } };
    await station.call("TransactionEvent", {
      ...{ eventType: "Started", triggerReason: "CablePluggedIn", seqNo: 0, meterValue, ...common },
    });
    await station.call("StatusNotification", {
      ...{ timestamp: written, evseId: 1, connectorId: 1, connectorStatus: "Occupied" },
    });
    await station.close();
  }
  await running.restart();
  return await Promise.all(
    MOMENTS.map(async ([written], index): Promise<Told> => {
      const transaction = await onlyTransactionOf(running, stations[index] ?? "");
      const values = await running.api("GET", `/transactions/${String(transaction.id)}/meter-values`);
      const { body: state } = await running.api("GET", `/stations/${stations[index]}/evses`);
      return {
        written,
        startedAt: transaction.startedAt,
        events: (transaction.events as Item[]).map(({ timestamp }) => timestamp),
        meterValues: (values.body.items ?? []).map(({ timestamp }) => timestamp),
        energyWh: transaction.energyWh,
        connector: ((state.evses as Item[])[0]?.connectors as Item[] | undefined)?.[0]?.since,
      };
    }),
  );
}

describe("times that stations tell", () => {
  it.each([
    { process: "UTC", database: undefined },
    { process: "America/Sao_Paulo", database: undefined },
    { process: "Pacific/Apia", database: "-c TimeZone=America/Sao_Paulo -c DateStyle=German" },
    { process: "Europe/Berlin", database: "-c TimeZone=Asia/Kathmandu -c DateStyle=SQL,DMY" },
  ])(
    "are the same in a process in $process with a database session of $database",
    async ({ process: zone, database }) => {
      process.env.TZ = zone;
      const options = database === undefined ? {} : { databaseOptions: database };
      const running = await RestartableCsms.start({}, options);
      try {
        const now = running.clock.now().getTime();
        expect(await play(running)).toEqual(
          MOMENTS.map(([written, moment]) => {
            const isPlausible = Date.parse(moment) >= Date.UTC(2010, 0, 1) && Date.parse(moment) <= now;
            return {
              ...{ written, startedAt: moment, events: [moment], meterValues: [moment, moment], energyWh: 700 },
              // A connector is in its state since we heard of it where the station's clock cannot be right.
              connector: isPlausible ? moment : running.clock.now().toISOString(),
            };
          }),
        );
      } finally {
        await running.close();
      }
    },
  );
});
