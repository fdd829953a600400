// `npm run fuzz`: installs and builds when needed, then lets broken stations talk to a whole CSMS a million times.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { prepare, root } from "./prepare.mjs";

prepare();
const main = join(root, "tests", "faults", "fuzz-main.ts");
const result = spawnSync(process.execPath, ["--import", "tsx", main, ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit",
});
process.exit(result.status ?? 1);
