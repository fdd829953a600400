// `npm run bench -- csms [case ...]`: a whole CSMS (validation, authentication, message log, commits with fsync) with
// its embedded PostgreSQL and the load, each in a process of its own, on the same machine. Every case prints its
// floors, which were measured in the same run.
import type { BenchCase } from "./bench-case.ts";
import { bootStorm } from "./boot-storm.ts";
import { commands } from "./commands.ts";
import { figureTable } from "./figure-table.ts";
import { heartbeat } from "./heartbeat.ts";
import { history } from "./history.ts";
import { idle } from "./idle.ts";
import { watchMachine } from "./machine.ts";
import { meterValues } from "./meter-values.ts";
import { soap } from "./soap.ts";
import { transactionEvents } from "./transaction-events.ts";

const cases: readonly BenchCase[] = [
  transactionEvents,
  meterValues,
  soap,
  heartbeat,
  bootStorm,
  idle,
  commands,
  history,
];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !cases.some((each) => each.name === name));
if (unknown.length > 0) {
  console.error(`There is no case ${unknown.join(", ")}. There are: ${cases.map(({ name }) => name).join(", ")}.`);
  process.exit(2);
}
for (const each of cases.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
  console.log(`\n## ${each.name}\n\n${each.title}.\n`);
  const machine = watchMachine();
  const figures = await each.run((text) => console.log(`${text}\n`));
  console.log(`${figureTable(figures)}\n\n${machine()}`);
}
process.exit(0);
