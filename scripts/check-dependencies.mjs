// Proves that the packages depend on one another, and the parts of the CSMS import one another, only as
// ARCHITECTURE.md allows. Biome sees to undeclared dependencies and import cycles.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { root } from "./prepare.mjs";

const ALLOWED_PACKAGES = {
  "@polyphase/ocpp": [],
  "@polyphase/testing": ["@polyphase/ocpp"],
  "@polyphase/station": ["@polyphase/ocpp"],
  "@polyphase/csms": ["@polyphase/ocpp"],
  polyphase: ["@polyphase/csms", "@polyphase/station"],
};

/** Layers of the CSMS, and the layers each may import from. Blocks are judged apart. */
const ALLOWED_LAYERS = {
  events: ["database"],
  database: ["events"],
  api: ["database", "events", "gateway"],
  gateway: ["api", "database", "events"],
  blocks: ["api", "database", "events", "gateway"],
};

const problems = [];

function isOurs(name) {
  return name in ALLOWED_PACKAGES;
}

function sources(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

function importsOf(file) {
  const text = readFileSync(file, "utf8");
  return [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1]);
}

function checkCsmsImport(sourceFolder, file, target) {
  const [fromLayer, fromBlock] = relative(sourceFolder, file).split(sep);
  const [toLayer, toBlock, ...rest] = relative(sourceFolder, target).split(sep);
  if (!(fromLayer in ALLOWED_LAYERS) || toBlock === undefined || file.endsWith(".test.ts")) return;
  if (fromLayer === toLayer) {
    // What stands beside the blocks, and not in one, is for all of them.
    const entersBlock = fromLayer === "blocks" && fromBlock !== toBlock && rest.length > 0;
    if (entersBlock && rest.join("/") !== "index.ts") {
      problems.push(`${relative(root, file)} reaches into the block ${toBlock}; only its index.ts is public`);
    }
  } else if (!ALLOWED_LAYERS[fromLayer].includes(toLayer)) {
    problems.push(`${relative(root, file)}: ${fromLayer} must not import ${toLayer}`);
  }
}

for (const entry of readdirSync(join(root, "packages"), { withFileTypes: true })) {
  const folder = join(root, "packages", entry.name);
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const allowed = ALLOWED_PACKAGES[manifest.name];
  if (allowed === undefined) {
    problems.push(`${manifest.name} is not in the table of packages`);
    continue;
  }
  for (const name of Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })) {
    if (isOurs(name) && !allowed.includes(name)) problems.push(`${manifest.name} must not depend on ${name}`);
  }
  const sourceFolder = join(folder, "src");
  for (const file of sources(sourceFolder)) {
    for (const specifier of importsOf(file)) {
      if (specifier.startsWith(".")) {
        const target = resolve(dirname(file), specifier);
        if (!target.startsWith(folder + sep)) problems.push(`${relative(root, file)} leaves its package: ${specifier}`);
        if (manifest.name === "@polyphase/csms") checkCsmsImport(sourceFolder, file, target);
      } else if (/^@polyphase\/[^/]+\//.test(specifier)) {
        problems.push(`${relative(root, file)} imports the inside of a package: ${specifier}`);
      }
    }
  }
}

for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exit(1);
console.log("dependency rules hold");
