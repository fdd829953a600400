// `npm start`: installs and builds when needed, then runs `polyphase csms` in this very process.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { prepare, root } from "./prepare.mjs";

prepare();
const command = join(root, "packages", "polyphase", "dist", "main.js");
process.argv = [process.execPath, command, "csms", ...process.argv.slice(2)];
await import(pathToFileURL(command).href);
