import { setTimeout as delay } from "node:timers/promises";
import { createLog, loadConfig, maintainDatabase } from "@polyphase/csms";
import pg from "pg";
import { atLeast, atMost, type BenchCase, type Figure, median, secondsEach } from "./bench-case.ts";
import { BenchProcess } from "./child-process.ts";
import { BenchDatabase, CsmsUnderTest } from "./csms-under-test.ts";
import { EXPIRED_DAYS, type History, loadExpiredDay, loadHistory, weekBefore } from "./history-loader.ts";
import { apiQueries, findTransactions, timeQuery } from "./history-queries.ts";
import type { MessageLoadSetting } from "./message-load.ts";
import { identities, type Measured, measureRate, registerStations, targetOf } from "./rate.ts";

const METER_VALUES = Number(process.env.BENCH_METER_VALUES ?? 10_000_000);
const MESSAGES = Number(process.env.BENCH_MESSAGES ?? METER_VALUES / 2);
const REQUESTS = Number(process.env.BENCH_REQUESTS ?? 200);
const STATIONS = 200;
const PREFIX = "BENCH-";

/** Durable TransactionEvents of a fleet of its own each time. */
async function withLoad<Result>(csms: CsmsUnderTest, work: (load: BenchProcess) => Promise<Result>): Promise<Result> {
  const setting: MessageLoadSetting = {
    port: csms.port,
    workload: "transaction-events",
    stations: STATIONS,
    prefix: PREFIX,
    withPassword: true,
  };
  const [load] = await BenchProcess.start("./message-load.ts", setting);
  try {
    return await work(load);
  } finally {
    load.end();
  }
}

function ingest(csms: CsmsUnderTest, load: BenchProcess, perSecond = 0): Promise<Measured> {
  return measureRate(targetOf(csms), load, { seconds: secondsEach, perSecond });
}

async function withCsmsOn<Result>(
  database: BenchDatabase,
  work: (csms: CsmsUnderTest) => Promise<Result>,
): Promise<Result> {
  const csms = await CsmsUnderTest.start(database);
  try {
    return await work(csms);
  } finally {
    await csms.stop();
  }
}

async function queryFigures(csms: CsmsUnderTest, history: History): Promise<readonly Figure[]> {
  const found = await findTransactions(csms, 40);
  const empty = await timeQuery(csms, { what: "nothing", path: () => "/commands" }, REQUESTS);
  const floor = { what: "a request that reads no table", value: empty.p95Ms };
  const figures: Figure[] = [];
  for (const query of apiQueries(history, found)) {
    const { p50Ms, p95Ms } = await timeQuery(csms, query, REQUESTS);
    const what = `${query.what}: p95 (p50 ${p50Ms.toFixed(1)} ms)`;
    figures.push({ what, measured: { value: p95Ms, unit: "ms" }, floor, goal: atMost(100) });
  }
  return figures;
}

/** Ingest before a day is dropped and while it is. */
interface Drop {
  readonly beforeMs: number;
  readonly whileMs: number;
}

/** Lets the maintenance drop what is older than some days, in the middle of a measurement of ingest. */
async function measureDrop(
  csms: CsmsUnderTest,
  load: BenchProcess,
  perSecond: number,
  given: { readonly now: Date; readonly retentionDays: number; readonly note: (text: string) => void },
): Promise<Drop> {
  const { now, retentionDays, note } = given;
  const environment = { DATABASE_URL: csms.database.url, POLYPHASE_METER_RETENTION_DAYS: String(retentionDays) };
  const log = createLog({ level: "silent" });
  const before = await ingest(csms, load, perSecond);
  const during = ingest(csms, load, perSecond);
  await delay((secondsEach * 1_000) / 2);
  const begin = performance.now();
  const changes = await maintainDatabase({ config: loadConfig(environment), log, clock: { now: () => now } });
  const tookMs = performance.now() - begin;
  const { dropped = [] } = changes.meter_value ?? {};
  if (dropped.length !== 1) throw new Error(`the retention dropped ${dropped.length} days of meter values, not one`);
  note(
    `Retention dropped ${dropped.join()} in ${tookMs.toFixed(0)} ms; the measurement went on for ` +
      `${(secondsEach * 500).toFixed(0)} ms since its begin.`,
  );
  return { beforeMs: before.p99Ms, whileMs: (await during).p99Ms };
}

/** Drops one day after the other while events come in at half of the greatest rate. */
async function retentionFigures(
  csms: CsmsUnderTest,
  history: History,
  perSecond: number,
  note: (text: string) => void,
): Promise<readonly Figure[]> {
  for (let daysBefore = EXPIRED_DAYS; daysBefore > 0; daysBefore--) {
    const rows = await loadExpiredDay(() => openClient(csms.database), history, daysBefore);
    note(`Expired day ${daysBefore}: ${rows} meter values.`);
  }
  const drops = await withLoad(csms, async (load) => {
    await ingest(csms, load, perSecond);
    const all: Drop[] = [];
    for (let daysBefore = EXPIRED_DAYS; daysBefore > 0; daysBefore--) {
      all.push(await measureDrop(csms, load, perSecond, { now: history.to, retentionDays: 6 + daysBefore, note }));
    }
    return all;
  });
  return [
    {
      what: `p99 of ingest at ${perSecond.toFixed(0)} /s while a day is dropped, median of ${EXPIRED_DAYS}`,
      measured: { value: median(drops.map(({ whileMs }) => whileMs)), unit: "ms" },
      floor: { what: "before", value: median(drops.map(({ beforeMs }) => beforeMs)) },
      goal: atMost(2, "ratio"),
    },
  ];
}

async function openClient(database: BenchDatabase): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  return client;
}

async function measureWithHistory(
  database: BenchDatabase,
  history: History,
  without: Measured,
  note: (text: string) => void,
): Promise<readonly Figure[]> {
  return withCsmsOn(database, async (csms) => {
    const queries = await queryFigures(csms, history);
    const rate = await withLoad(csms, async (load) => {
      await ingest(csms, load);
      return ingest(csms, load);
    });
    const share: Figure = {
      what: `${STATIONS} stations, events per second with the history`,
      measured: { value: rate.perSecond, unit: "/s" },
      floor: { what: "without", value: without.perSecond },
      goal: atLeast(0.8, "ratio"),
    };
    return [...queries, share, ...(await retentionFigures(csms, history, rate.perSecond / 2, note))];
  });
}

/** A week of history in the database: what it does to requests, to ingest, and how a day of it goes. */
export const history: BenchCase = {
  name: "history",
  title:
    "A week of history in the database: times of API requests, one after the other; ingest of TransactionEvents with it " +
    "and without; a day that retention drops",
  async run(note) {
    const database = await BenchDatabase.start();
    try {
      const without = await withCsmsOn(database, async (csms) => {
        await registerStations(csms, identities(PREFIX, STATIONS));
        return withLoad(csms, async (load) => {
          await ingest(csms, load);
          return ingest(csms, load);
        });
      });
      const loaded = weekBefore(new Date(), METER_VALUES, MESSAGES);
      const begin = performance.now();
      await loadHistory(() => openClient(database), loaded);
      const seconds = (performance.now() - begin) / 1_000;
      const size = await database.connected(async (client) => {
        const { rows } = await client.query<{ size: string }>(
          "select pg_size_pretty(pg_database_size(current_database())) as size",
        );
        return rows[0]?.size;
      });
      note(
        `${METER_VALUES} meter values (three sampled values each) of ${loaded.stations} stations, as many events, ` +
          `${MESSAGES} logged messages: ${size}, loaded in ${seconds.toFixed(0)} s. ${REQUESTS} requests each.`,
      );
      return await measureWithHistory(database, loaded, without, note);
    } finally {
      await database.remove();
    }
  },
};
