// `npm run bench -- csms [case ...]`: a whole CSMS (validation, authentication, message log, commits with fsync) with
// its embedded PostgreSQL and the load, each in a process of its own, on the same machine. Every case prints its
// floors, which were measured in the same run.
import type { BenchCase } from "./bench-case.ts";
import { figureTable } from "./figure-table.ts";
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
for (const [name, load] of Object.entries(cases)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  const { title, run } = await load();
  console.log(`\n## ${name}\n\n${title}.\n`);
  const machine = watchMachine();
  const figures = await run((text) => console.log(`${text}\n`));
  console.log(`${figureTable(figures)}\n\n${machine()}`);
}
process.exit(0);
