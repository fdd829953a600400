// Brings a checkout to the state that a command needs: dependencies installed, code generated and compiled.
// Quick when nothing is to be done. Plain JavaScript without dependencies, because it runs before the installation.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const LEAST_NODE = [20, 19];
const INSTALL_STAMP = join(root, "node_modules", ".polyphase-installed");
const BUILD_STAMP = join(root, "node_modules", ".polyphase-built");

function fail(message) {
  console.error(`polyphase: ${message}`);
  process.exit(1);
}

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < LEAST_NODE[0] || (major === LEAST_NODE[0] && minor < LEAST_NODE[1])) {
    fail(`Node.js ${LEAST_NODE.join(".")} or later is needed; this is ${process.versions.node}.`);
  }
}

function packageFolders() {
  return readdirSync(join(root, "packages"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(root, "packages", entry.name))
    .filter((folder) => existsSync(join(folder, "package.json")));
}

function digestOf(files, describe) {
  const hash = createHash("sha256");
  for (const file of files) hash.update(`${file}\0${describe(file)}\0`);
  return hash.digest("hex");
}

/** The parts of a manifest that say what is installed: a new script or description installs nothing. */
const INSTALLED_PARTS = [
  ...["name", "version", "type", "bin", "exports", "engines", "workspaces", "overrides", "allowScripts"],
  ...["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"],
];

function installedParts(manifest) {
  const content = JSON.parse(readFileSync(manifest, "utf8"));
  return JSON.stringify(INSTALLED_PARTS.map((part) => content[part]));
}

function installDigest() {
  const settings = ["package-lock.json", ".npmrc"].map((name) => join(root, name));
  const manifests = [root, ...packageFolders()].map((folder) => join(folder, "package.json"));
  const digests = [digestOf(settings, (file) => readFileSync(file, "utf8")), digestOf(manifests, installedParts)];
  return `${process.versions.modules} ${process.platform} ${process.arch} ${digests.join(" ")}`;
}

function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

function buildDigest(installed) {
  const files = [join(root, "tsconfig.base.json"), join(root, "tsconfig.json")];
  for (const folder of packageFolders()) {
    files.push(join(folder, "tsconfig.json"));
    for (const part of ["src", "generate", "schemas"]) files.push(...filesBelow(join(folder, part)));
  }
  const sources = files.filter((file) => !file.endsWith(".test.ts") && !file.includes("generated"));
  return `${installed} ${digestOf(sources, (file) => {
    const { size, mtimeMs } = statSync(file);
    return `${size} ${mtimeMs}`;
  })}`;
}

function isStamped(stamp, digest) {
  return existsSync(stamp) && readFileSync(stamp, "utf8") === digest;
}

function run(what, command, args) {
  const result = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2] });
  if (result.error) fail(`${what} could not start: ${result.error.message}`);
  if (result.status !== 0) fail(`${what} failed (${result.status ?? result.signal}).`);
}

function npmCommand() {
  const script = process.env.npm_execpath;
  return script?.endsWith(".js") ? [process.execPath, [script]] : ["npm", []];
}

/** Runs a command of an installed package by its file, so that no shell and no PATH is involved. */
export function nodeBin(packageName, bin = packageName) {
  const folder = join(root, "node_modules", packageName);
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return join(folder, typeof manifest.bin === "string" ? manifest.bin : manifest.bin[bin]);
}

/** Removes what was compiled from files that are gone: it would be published. */
function removeStaleOutputs() {
  for (const folder of packageFolders()) {
    const compiled = join(folder, "dist");
    for (const file of filesBelow(compiled)) {
      const source = relative(compiled, file).replace(/(\.d\.ts|\.js)(\.map)?$/, ".ts");
      if (source.endsWith(".ts") && !existsSync(join(folder, "src", source))) rmSync(file);
    }
  }
}

export function prepare() {
  checkNode();
  const installed = installDigest();
  if (!isStamped(INSTALL_STAMP, installed)) {
    console.error("polyphase: installing dependencies (only needed once, and after they change) ...");
    const [command, args] = npmCommand();
    run("npm ci", command, [...args, "ci", "--no-audit", "--no-fund", "--loglevel=error"]);
    writeFileSync(INSTALL_STAMP, installed);
  }
  const built = buildDigest(installed);
  const outputs = packageFolders().every((folder) => existsSync(join(folder, "dist")));
  if (!outputs || !isStamped(BUILD_STAMP, built)) {
    console.error("polyphase: building ...");
    mkdirSync(dirname(BUILD_STAMP), { recursive: true });
    run("code generation", process.execPath, [nodeBin("tsx"), join(root, "packages", "ocpp", "generate", "main.ts")]);
    removeStaleOutputs();
    run("compilation", process.execPath, [nodeBin("typescript", "tsc"), "-b"]);
    writeFileSync(BUILD_STAMP, built);
  }
}
