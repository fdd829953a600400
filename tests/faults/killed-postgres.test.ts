import { mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { startEmbeddedPostgres } from "@polyphase/csms/embedded-postgres";
import { type Random, seededRandom } from "@polyphase/station";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually, type RunningCsms } from "../system/running-csms.ts";
import { ChargingFleet } from "./charging-fleet.ts";
import { csmsOnDatabase } from "./csms-on-database.ts";
import { HealthWatch } from "./health-watch.ts";

const KILLS = 10;
const seed = process.env.POLYPHASE_TEST_SEED ?? String(Date.now());

/** A PostgreSQL server that starts again by itself when it is killed. */
interface Server {
  /** Its cluster's directory. */
  readonly cluster: string;
  /** Process number of the postmaster, which changes when it is started again. */
  pid(): Promise<number>;
  url(): Promise<string>;
}

/** Reads what the embedded database of a CSMS writes into its data directory. */
function embeddedIn(dataDir: string): Server {
  const cluster = join(dataDir, "postgresql", "cluster");
  const line = async (index: number) =>
    (await readFile(join(cluster, "postmaster.pid"), "utf8")).split("\n")[index] ?? "";
  return {
    cluster,
    pid: async () => Number(await line(0)),
    async url() {
      const password = (await readFile(join(dataDir, "postgresql", "password"), "utf8")).trim();
      return `postgres://polyphase:${encodeURIComponent(password)}@127.0.0.1:${await line(3)}/polyphase`;
    },
  };
}

/** Kills one session of the CSMS, upon which PostgreSQL breaks off all and recovers. */
async function killSession(url: string, random: Random): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  try {
    await eventually("a session that is killed before it ends", async () => {
      const { rows } = await client.query<{ pid: number }>(
        "select pid from pg_stat_activity where application_name = 'polyphase' order by pid",
      );
      if (rows.length === 0) return undefined;
      try {
        return process.kill(random.pick(rows).pid, "SIGKILL") ? true : undefined;
      } catch {
        return undefined;
      }
    });
  } finally {
    await client.end();
  }
}

async function killServer(server: Server): Promise<void> {
  const killed = await server.pid();
  // Number 0 would mean ourselves.
  if (!(killed > 0)) throw new Error("the database has no process");
  process.kill(killed, "SIGKILL");
  const isAnother = (pid: number) => (pid > 0 && pid !== killed ? true : undefined);
  // The file with the number is missing or half written for a moment.
  await eventually("another server", () => server.pid().then(isAnother, () => undefined));
}

/** Kills the server, which cannot start again before the CSMS was seen to know that it is away. */
async function killServerForLong(server: Server, health: HealthWatch): Promise<void> {
  const version = join(server.cluster, "PG_VERSION");
  await rename(version, `${version}.away`);
  process.kill(await server.pid(), "SIGKILL");
  await health.next("not-ready");
  await rename(`${version}.away`, version);
}

/** Kills the server at random moments while messages wait for their answers, twice of three times as a whole, else a session of it. */
async function killAgainAndAgain(fleet: ChargingFleet, server: Server, health: HealthWatch, random: Random) {
  for (let kill = 0; kill < KILLS; kill++) {
    await fleet.progress(random.integer(5, 30));
    fleet.stir();
    await delay(random.integer(0, 50));
    await fleet.underWay();
    if (kill === KILLS - 1) await killServerForLong(server, health);
    else if (random.next() < 2 / 3) await killServer(server);
    else await killSession(await server.url(), random);
    await health.next("ready");
  }
}

/** A CSMS with its database, and how both are ended. */
interface Pair {
  readonly running: RunningCsms;
  readonly server: Server;
  stop(): Promise<void>;
}

async function embedded(directory: string): Promise<Pair> {
  const running = await csmsOnDatabase({ POLYPHASE_DATA_DIR: directory });
  return { running, server: embeddedIn(directory), stop: () => running.close() };
}

async function ofDatabaseUrl(directory: string): Promise<Pair> {
  const postgres = await startEmbeddedPostgres({ directory });
  const running = await csmsOnDatabase({ DATABASE_URL: postgres.url });
  const server = { cluster: join(directory, "cluster"), pid: async () => postgres.pid, url: async () => postgres.url };
  const stop = async () => {
    await running.close();
    await postgres.stop();
  };
  return { running, server, stop };
}

describe.each([
  { name: "the embedded database, beside its CSMS", open: embedded, stationsOfEach: 2 },
  { name: "a database of DATABASE_URL", open: ofDatabaseUrl, stationsOfEach: 1 },
])(`$name, killed under load (POLYPHASE_TEST_SEED=${seed})`, ({ name, open, stationsOfEach }) => {
  const random = seededRandom(`${seed} ${name}`);
  let directory: string;
  let pair: Pair;
  let fleet: ChargingFleet;
  let health: HealthWatch;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "polyphase-killed-"));
    pair = await open(directory);
    fleet = new ChargingFleet(pair.running.csms, random.fork("drivers"), stationsOfEach);
    await fleet.start();
    health = new HealthWatch(pair.running.csms.httpUrl);
  });

  afterAll(async () => {
    await health.close();
    await fleet.stop();
    await pair.stop();
    await rm(directory, { recursive: true, force: true });
  });

  it(`is there again each of ${KILLS} times without help, and readiness tells the truth meanwhile`, async () => {
    await killAgainAndAgain(fleet, pair.server, health, random);
    await fleet.progress(20 * stationsOfEach);
    expect(health.liveStatuses).toEqual(new Set([200]));
  }, 600_000);

  it("has every acknowledged event once, and all energy to the watt-hour", async () => {
    await fleet.settle();
    await fleet.expectKept();
  }, 600_000);
});
