// `npm run fuzz -- [--frames N] [--seed N]`: fuzzes the gateway of a whole CSMS and prints what came of it.
import { randomInt } from "node:crypto";
import { inspect, parseArgs } from "node:util";
import setUpDatabases from "../global-setup.ts";
import { fuzzGateway } from "./gateway-fuzz.ts";
import { GROWTH_BOUND_BYTES, inMebibytes } from "./live-heap.ts";

const say = (line: string) => void process.stdout.write(`${line}\n`);
const complain = (line: string) => void process.stderr.write(`${line}\n`);

const { values } = parseArgs({
  options: {
    frames: { type: "string", default: "1000000" },
    seed: { type: "string", default: String(randomInt(2 ** 31)) },
  },
});
const frames = Number(values.frames);
const seed = Number(values.seed);
if (!Number.isInteger(frames) || frames < 1 || !Number.isInteger(seed)) {
  complain("Usage: npm run fuzz -- [--frames NUMBER] [--seed NUMBER]");
  process.exit(2);
}

say(`${frames} frames, seed ${seed}. The same again: npm run fuzz -- --frames ${frames} --seed ${seed}`);
const stopDatabases = await setUpDatabases();
try {
  const { findings, ...summary } = await fuzzGateway({ frames, seed, report: say });
  say(inspect({ ...summary, heapBound: inMebibytes(GROWTH_BOUND_BYTES) }));
  for (const finding of findings) complain(`FINDING: ${finding}`);
  say(findings.length === 0 ? "Nothing was found." : `${findings.length} findings.`);
  process.exitCode = findings.length === 0 ? 0 : 1;
} finally {
  await stopDatabases();
}
