// `npm run bench -- NAME`: installs and builds when needed, then runs bench/NAME. Without a name, all of them; the exit
// code is that of the first that failed.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { prepare, root } from "./prepare.mjs";

prepare();
const folder = join(root, "bench");
const all = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(join(folder, entry.name, "main.ts")))
  .map((entry) => entry.name);
const [name, ...args] = process.argv.slice(2);
if (name !== undefined && !all.includes(name)) {
  console.error(`There is no benchmark "${name}". There are: ${all.join(", ")}.`);
  process.exit(2);
}
let status = 0;
for (const bench of name === undefined ? all : [name]) {
  const result = spawnSync(process.execPath, ["--import", "tsx", join(folder, bench, "main.ts"), ...args], {
    cwd: root,
    stdio: "inherit",
  });
  status ||= result.status ?? 1;
}
process.exit(status);
