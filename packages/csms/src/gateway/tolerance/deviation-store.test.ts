import { startTestDatabase, type TestDatabase } from "@polyphase/testing";
import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { connectDatabase, type Database } from "../../database/connection.ts";
import { createGroupCommit, type GroupCommitter } from "../../database/group-commit.ts";
import { migrateDatabase } from "../../database/migrate.ts";
import { migrations } from "../migrations.ts";
import {
  countDeviations,
  type DeviationRow,
  deleteDeviations,
  readDeviatingStations,
  readDeviations,
  sumDeviations,
} from "./deviation-store.ts";

const log = pino({ level: "silent" });
let testDatabase: TestDatabase;
let database: Database;
let groupCommit: GroupCommitter;

beforeAll(async () => {
  testDatabase = await startTestDatabase();
  database = await connectDatabase({ url: testDatabase.url, log });
  await migrateDatabase(database.kysely, migrations);
  groupCommit = createGroupCommit({
    openClient: () => database.openClient({ pipeline: true }),
    events: {
      insert: () => ({ name: "no-events", text: "select 1 as id where false", values: [] }),
      reserve: () => {
        throw new Error("there are no events here");
      },
    },
    log,
  });
});

beforeEach(() => database.kysely.deleteFrom("station_deviation" as never).execute());

afterAll(async () => {
  await groupCommit.close();
  await database.close();
  await testDatabase.drop();
});

const at = (second: number) => new Date(Date.UTC(2024, 4, 1, 0, 0, second));
const row = (facts: Partial<DeviationRow>): DeviationRow => ({
  ...{ station_id: "CS1", deviation: "null-values", occurrences: 2, first_at: at(1), last_at: at(2), batch: "a" },
  ...{ example_at: null, example_version: null, example_action: null, example: null },
  ...facts,
});

async function write(...rows: readonly DeviationRow[]): Promise<void> {
  const unit = groupCommit.unit();
  for (const each of rows) unit.add(countDeviations, each);
  await unit.commit();
}

it("counts what is sent again, because nobody knew whether it was stored, once", async () => {
  await write(row({}));
  await write(row({}));
  expect(await readDeviations(database.kysely, "CS1")).toMatchObject([{ occurrences: 2 }]);
  await write(row({ batch: "b" }));
  expect(await readDeviations(database.kysely, "CS1")).toMatchObject([{ occurrences: 4 }]);
});

it("keeps the first time, the last time and the newest example", async () => {
  const example = { example_at: at(5), example_version: "1.6", example_action: "Heartbeat", example: "{}" };
  await write(row({ first_at: at(4), last_at: at(6), ...example }));
  await write(row({ first_at: at(2), last_at: at(5), batch: "b" }));
  expect(await readDeviations(database.kysely, "CS1")).toEqual([
    {
      ...{ deviation: "null-values", occurrences: 4, firstAt: at(2), lastAt: at(6) },
      ...{ exampleAt: at(5), exampleVersion: "1.6", exampleAction: "Heartbeat", example: "{}" },
    },
  ]);
  await write(row({ batch: "c", ...example, example: "newer" }));
  expect(await readDeviations(database.kysely, "CS1")).toMatchObject([{ example: "newer" }]);
});

it("sums up by deviation, lists its stations page by page, and forgets one station", async () => {
  await write(
    row({ deviation: "time-format" }),
    ...["CS1", "CS2", "CS3"].map((station_id) => row({ station_id, last_at: at(9) })),
  );
  expect(await sumDeviations(database.kysely)).toEqual([
    { deviation: "null-values", stations: 3, occurrences: 6, lastAt: at(9) },
    { deviation: "time-format", stations: 1, occurrences: 2, lastAt: at(2) },
  ]);
  const page = async (after: string) =>
    (await readDeviatingStations(database.kysely, "null-values", { after, limit: 2 })).map(
      ({ stationId }) => stationId,
    );
  expect(await page("")).toEqual(["CS1", "CS2"]);
  expect(await page("CS2")).toEqual(["CS3"]);
  await groupCommit.unit().add(deleteDeviations, { station_id: "CS1" }).commit();
  expect(await readDeviations(database.kysely, "CS1")).toEqual([]);
  expect(await page("")).toEqual(["CS2", "CS3"]);
});
