// `npm run soak -- --minutes 60 --stations 50 --seed 1`: installs and builds when needed, then runs the mixed faults.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { prepare, root } from "./prepare.mjs";

prepare();
const main = join(root, "bench", "soak", "soak.ts");
const result = spawnSync(process.execPath, ["--import", "tsx", main, ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit",
});
process.exit(result.status ?? 1);
