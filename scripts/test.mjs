// `npm test`: installs and builds when needed, then runs every test. Arguments go to vitest.
import { spawnSync } from "node:child_process";
import { nodeBin, prepare, root } from "./prepare.mjs";

prepare();
const args = process.argv.slice(2);
const result = spawnSync(process.execPath, [nodeBin("vitest"), "run", ...args], { cwd: root, stdio: "inherit" });
process.exit(result.status ?? 1);
