import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BenchCase, type Figure, secondsEach } from "./bench-case.ts";
import { BenchDatabase, CsmsUnderTest } from "./csms-under-test.ts";
import { holding } from "./leftovers.ts";
import { identities, registerStations, startMessageLoad, targetOf, warmUp } from "./rate.ts";

const STATIONS = 200;

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
}

/** What `node --cpu-prof` writes; times are in microseconds of the machine's monotonic clock. */
interface CpuProfile {
  readonly startTime: number;
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame; readonly children?: number[] }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** The first pattern that fits the address of a function's module names its area. */
const AREAS: readonly (readonly [area: string, module: RegExp])[] = [
  ["WebSocket framing (ws)", /node_modules\/ws\//],
  ["protocol library: frames, JSON, validation", /packages\/ocpp\//],
  ["block transactions", /csms\/dist\/blocks\/transactions\//],
  ["block metering", /csms\/dist\/blocks\/metering\//],
  ["other blocks", /csms\/dist\/blocks\//],
  ["group commit and column encoding", /csms\/dist\/database\//],
  ["message log", /csms\/dist\/gateway\/message-log\//],
  ["gateway without the message log", /csms\/dist\/(gateway|api|events)\//],
  ["PostgreSQL client (pg, kysely)", /node_modules\/(pg|pg-[a-z]+|kysely|postgres-[a-z]+)\//],
  ["Node.js: sockets, streams, promises", /^node:/],
];

const OTHER = "other";
const IDLE = "(idle)";

function ownArea({ functionName, url }: CallFrame): string | undefined {
  if (functionName === IDLE) return IDLE;
  if (functionName === "(garbage collector)") return "garbage collection";
  if (functionName === "(program)") return "the virtual machine itself";
  if (url === "") return undefined;
  return AREAS.find(([, module]) => module.test(url))?.[0] ?? OTHER;
}

/** Microseconds by area within a span of time. What has no module, such as JSON.parse, counts to its caller. */
function microsByArea(profile: CpuProfile, fromMicros: number, toMicros: number): ReadonlyMap<string, number> {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  const areas = new Map<number, string>();
  const areaOf = (id: number): string => {
    let area = areas.get(id);
    if (area === undefined) {
      const node = nodes.get(id);
      const parent = parents.get(id);
      area = (node && ownArea(node.callFrame)) ?? (parent === undefined ? OTHER : areaOf(parent));
      areas.set(id, area);
    }
    return area;
  };
  const micros = new Map<string, number>();
  let atMicros = profile.startTime;
  profile.samples.forEach((id, index) => {
    const delta = profile.timeDeltas[index] ?? 0;
    atMicros += delta;
    if (atMicros < fromMicros || atMicros > toMicros) return;
    micros.set(areaOf(id), (micros.get(areaOf(id)) ?? 0) + delta);
  });
  return micros;
}

const nowMicros = (): number => Number(process.hrtime.bigint() / 1_000n);

async function profileLoad(folder: string): Promise<ReadonlyMap<string, number>> {
  const database = await BenchDatabase.start();
  try {
    const csms = await CsmsUnderTest.start(database, folder);
    await registerStations(csms, identities("BENCH-", STATIONS));
    const fleet = { workload: "transaction-events", stations: STATIONS, prefix: "BENCH-", withPassword: true } as const;
    const load = await startMessageLoad(targetOf(csms), fleet);
    await warmUp(load);
    const from = nowMicros();
    await load.ask({ seconds: secondsEach, perSecond: 0 });
    const to = nowMicros();
    load.end();
    await csms.stop();
    const [file = ""] = await readdir(folder);
    return microsByArea(JSON.parse(await readFile(join(folder, file), "utf8")), from, to);
  } finally {
    await database.remove();
  }
}

/** Where the server's time goes while it is flooded with TransactionEvents. */
export const profile: BenchCase = {
  name: "profile",
  title: `Where the CPU time of the server's thread goes: TransactionEvents of ${STATIONS} stations, as in transaction-events`,
  async run(note) {
    const folder = await mkdtemp(join(tmpdir(), "polyphase-profile-"));
    const removeFolder = holding(() => rm(folder, { recursive: true, force: true }));
    try {
      const micros = new Map(await profileLoad(folder));
      const idle = micros.get(IDLE) ?? 0;
      micros.delete(IDLE);
      const busy = [...micros.values()].reduce((sum, value) => sum + value, 0);
      note(`The thread was busy for ${((100 * busy) / (busy + idle)).toFixed(0)} % of the time.`);
      const sorted = [...micros].sort(([, a], [, b]) => b - a);
      return sorted.map(([what, value]): Figure => ({ what, measured: { value: (100 * value) / busy, unit: "%" } }));
    } finally {
      await removeFolder();
    }
  },
};
