import { chmod, cp, lstat, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { EmbeddedDatabaseError } from "./embedded-database-error.ts";
import { findNativePackage, findPostgresBinaries, type NativePackage } from "./postgres-binaries.ts";
import { choosePostgresUser, type PostgresUser } from "./postgres-user.ts";

let root: string;
let closed: string;
let user: PostgresUser | undefined;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), "polyphase programs "));
  await chmod(root, 0o755);
  closed = path.join(root, "closed");
  await mkdir(closed);
  user = await choosePostgresUser(path.join(root, "absent"));
});

afterEach(async () => {
  await chmod(path.join(closed, "native", "lib"), 0o755).catch(() => undefined);
  await rm(root, { recursive: true, force: true });
});

/** The package as npm leaves it when install scripts may not run: without the links between libraries. */
async function packageWithoutLinks(): Promise<NativePackage> {
  const { directory, version } = await findNativePackage();
  const target = path.join(closed, "native");
  for (const part of ["bin", "lib", "pg-symlinks.json"]) {
    await cp(path.join(directory, part), path.join(target, part), {
      recursive: true,
      filter: async (file) => !file.endsWith(".a") && !(await lstat(file)).isSymbolicLink(),
    });
  }
  await symlink(path.join(directory, "share"), path.join(target, "share"));
  return { directory: target, version };
}

test("the programs of the installed package run as the chosen user", async () => {
  const binaries = await findPostgresBinaries(path.join(root, "data"), user);
  expect(binaries.majorVersion).toBeGreaterThanOrEqual(18);
});

test("links that an install script would have made are made", async () => {
  const packaged = await packageWithoutLinks();
  const binaries = await findPostgresBinaries(path.join(root, "data"), user, packaged);
  expect(path.dirname(binaries.postgres)).toBe(path.join(packaged.directory, "bin"));
});

test("where they cannot be run in place they are copied beside the data, once", async () => {
  const packaged = await packageWithoutLinks();
  // Root drops to a user who cannot enter; an ordinary user cannot add the links.
  await chmod(path.join(packaged.directory, "lib"), 0o555);
  await chmod(closed, 0o700);
  const data = path.join(root, "data");
  const binaries = await findPostgresBinaries(data, user, packaged);
  expect(binaries.postgres.startsWith(path.join(data, "programs-"))).toBe(true);
  const made = await lstat(binaries.postgres);
  const again = await findPostgresBinaries(data, user, packaged);
  expect(again.postgres).toBe(binaries.postgres);
  expect((await lstat(again.postgres)).ino).toBe(made.ino);
});

test("a package without programs is an error that says what to do", async () => {
  await mkdir(path.join(closed, "native"));
  const found = findPostgresBinaries(path.join(root, "data"), user, {
    directory: path.join(closed, "native"),
    version: "0.0.0-none",
  });
  await expect(found).rejects.toBeInstanceOf(EmbeddedDatabaseError);
  await expect(found).rejects.toThrow(/DATABASE_URL/);
});
