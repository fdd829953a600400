// `npm run bench -- csms [case ...]`: a whole CSMS (validation, authentication, message log, commits with fsync) with
// its embedded PostgreSQL and the load, each in a process of its own, on the same machine. Every case prints its
// floors, which were measured in the same run. A case that fails ends no other; the exit code is 1 then.
import type { BenchCase } from "./bench-case.ts";
import { figureTable } from "./figure-table.ts";
import { endLeftovers } from "./leftovers.ts";
import { watchMachine } from "./machine.ts";

const cases: Readonly<Record<string, () => Promise<BenchCase>>> = {
  "transaction-events": async () => (await import("./transaction-events.ts")).transactionEvents,
  profile: async () => (await import("./profile.ts")).profile,
  "meter-values": async () => (await import("./meter-values.ts")).meterValues,
  soap: async () => (await import("./soap.ts")).soap,
  heartbeat: async () => (await import("./heartbeat.ts")).heartbeat,
  "boot-storm": async () => (await import("./boot-storm.ts")).bootStorm,
  idle: async () => (await import("./idle.ts")).idle,
  commands: async () => (await import("./commands.ts")).commands,
  history: async () => (await import("./history.ts")).history,
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !Object.hasOwn(cases, name));
if (unknown.length > 0) {
  console.error(`There is no case ${unknown.join(", ")}. There are: ${Object.keys(cases).join(", ")}.`);
  process.exit(2);
}
const failed = new Set<string>();

function tellFailure(name: string, error: unknown): void {
  failed.add(name);
  console.error(`The case ${name} failed:`, error);
}

async function runCase(name: string, load: () => Promise<BenchCase>): Promise<void> {
  // A load whose answer nobody waits for any more, because something else of its case has failed, ends no other case.
  const tell = (error: unknown) => tellFailure(name, error);
  process.on("unhandledRejection", tell);
  try {
    const { title, run } = await load();
    console.log(`\n## ${name}\n\n${title}.\n`);
    const machine = watchMachine();
    const figures = await run((text) => console.log(`${text}\n`));
    console.log(`${figureTable(figures)}\n\n${machine()}`);
  } catch (error) {
    tell(error);
  } finally {
    await endLeftovers();
    process.off("unhandledRejection", tell);
  }
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    endLeftovers().finally(() => process.exit(1));
  });
}
for (const [name, load] of Object.entries(cases)) {
  if (asked.length === 0 || asked.includes(name)) await runCase(name, load);
}
if (failed.size > 0) console.error(`\nFailed: ${[...failed].join(", ")}.`);
process.exit(failed.size === 0 ? 0 : 1);
