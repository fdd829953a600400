import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, chown, lchown, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { EmbeddedDatabaseError, explainFailure, systemErrorCode } from "./embedded-database-error.ts";
import type { PostgresBinaries } from "./postgres-binaries.ts";
import { choosePostgresUser, type PostgresUser } from "./postgres-user.ts";
import { serverEnvironment, serverPath } from "./postmaster.ts";

/** The only role of an embedded database. */
export const ROLE = "polyphase";

/** Where the files of an embedded database are. */
export interface Layout {
  readonly directory: string;
  readonly cluster: string;
  readonly passwordFile: string;
}

/** The files below a directory. */
export function layoutOf(directory: string): Layout {
  const root = path.resolve(directory);
  return { directory: root, cluster: path.join(root, "cluster"), passwordFile: path.join(root, "password") };
}

async function exists(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return false;
    throw error;
  }
}

/**
 * Creates the directory and gives it to the user that the server will run as (undefined: ourselves).
 *
 * @throws EmbeddedDatabaseError when it cannot be used
 */
export async function prepareDirectory(directory: string): Promise<PostgresUser | undefined> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const user = await choosePostgresUser(directory);
    if (user !== undefined) await chown(directory, user.uid, user.gid);
    return user;
  } catch (cause) {
    if (cause instanceof EmbeddedDatabaseError) throw cause;
    throw explainFailure("the embedded database has no place", directory, "", cause);
  }
}

async function createPassword(layout: Layout, user: PostgresUser | undefined): Promise<void> {
  await rm(layout.passwordFile, { force: true });
  await writeFile(layout.passwordFile, `${randomBytes(24).toString("base64url")}\n`, { mode: 0o600, flag: "wx" });
  // initdb, which runs as that user, reads it.
  if (user !== undefined) await chown(layout.passwordFile, user.uid, user.gid);
}

async function runInitdb(layout: Layout, draft: string, binaries: PostgresBinaries, user: PostgresUser | undefined) {
  const password = await open(layout.passwordFile, "r");
  try {
    const child = spawn(
      binaries.initdb,
      [
        ...["-D", serverPath(draft), "-U", ROLE, "--pwfile=/dev/stdin", "--auth=scram-sha-256", "--encoding=UTF8"],
        ...["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"],
        // Whoever commits waits while a new file of the log of changes is filled with zeros: 16 MB take four times as long.
        "--wal-segsize=4",
      ],
      { ...user, cwd: draft, env: serverEnvironment, stdio: [password.fd, "ignore", "pipe"], detached: true },
    );
    let output = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      output += chunk.toString("utf8");
    });
    await new Promise<void>((resolve, reject) => {
      child.once("error", (cause) => reject(explainFailure("PostgreSQL cannot be run", draft, "", cause)));
      child.once("close", (code) =>
        code === 0 ? resolve() : reject(explainFailure("the database cannot be created", layout.directory, output)),
      );
    });
  } finally {
    await password.close();
  }
}

/** Creates the cluster under another name first, so that an interrupted start leaves nothing half made. */
async function createCluster(layout: Layout, binaries: PostgresBinaries, user: PostgresUser | undefined) {
  const draft = `${layout.cluster}.new`;
  try {
    await rm(draft, { recursive: true, force: true });
    await createPassword(layout, user);
    await mkdir(draft, { mode: 0o700 });
    if (user !== undefined) await chown(draft, user.uid, user.gid);
    await runInitdb(layout, draft, binaries, user);
    await rename(draft, layout.cluster);
  } catch (cause) {
    await rm(draft, { recursive: true, force: true });
    if (cause instanceof EmbeddedDatabaseError) throw cause;
    throw explainFailure("the database cannot be created", layout.directory, "", cause);
  }
}

/** A restored or copied cluster may have lost the owner and mode that PostgreSQL insists on. */
async function takeOwnership(cluster: string, user: PostgresUser | undefined): Promise<void> {
  const { uid } = await stat(cluster);
  const self = process.getuid?.();
  if (user === undefined && self !== undefined && uid !== self) {
    throw new EmbeddedDatabaseError(
      `the database in ${cluster} belongs to the user with id ${uid}: start Polyphase as that user, or give it the directory`,
    );
  }
  if (user !== undefined && uid !== user.uid) {
    await chown(cluster, user.uid, user.gid);
    for (const entry of await readdir(cluster, { recursive: true, withFileTypes: true })) {
      await lchown(path.join(entry.parentPath, entry.name), user.uid, user.gid);
    }
  }
  await chmod(cluster, 0o700);
}

async function checkCluster(layout: Layout, binaries: PostgresBinaries, user: PostgresUser | undefined) {
  try {
    const version = (await readFile(path.join(layout.cluster, "PG_VERSION"), "utf8")).trim();
    if (version !== String(binaries.majorVersion)) {
      throw new EmbeddedDatabaseError(
        `the database in ${layout.cluster} was written by PostgreSQL ${version}, and this Polyphase brings ` +
          `${binaries.majorVersion}: serve it by PostgreSQL ${version} and set DATABASE_URL, or move the data with pg_dump`,
      );
    }
    await takeOwnership(layout.cluster, user);
    if (!(await exists(layout.passwordFile))) {
      throw new EmbeddedDatabaseError(
        `${layout.passwordFile} with the database's password is missing: restore it with the rest of the directory`,
      );
    }
  } catch (cause) {
    if (cause instanceof EmbeddedDatabaseError) throw cause;
    throw explainFailure("the database cannot be opened", layout.directory, "", cause);
  }
}

/**
 * Makes sure that there is a cluster which these programs can serve: creates it, or checks the one that is there.
 *
 * @returns whether it was created
 * @throws EmbeddedDatabaseError when it cannot be created, or is of another major version or another user
 */
export async function ensureCluster(
  layout: Layout,
  binaries: PostgresBinaries,
  user: PostgresUser | undefined,
): Promise<boolean> {
  if (await exists(layout.cluster)) {
    await checkCluster(layout, binaries, user);
    return false;
  }
  await createCluster(layout, binaries, user);
  return true;
}
