import { readFile, stat } from "node:fs/promises";
import { EmbeddedDatabaseError } from "./embedded-database-error.ts";

/** Whom PostgreSQL runs as when we are root: it refuses to run as root itself. */
export interface PostgresUser {
  readonly uid: number;
  readonly gid: number;
}

async function findAccount(name: string): Promise<PostgresUser | undefined> {
  const accounts = await readFile("/etc/passwd", "utf8").catch(() => "");
  for (const line of accounts.split("\n")) {
    const [account, , uid, gid] = line.split(":");
    if (account === name && uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  return undefined;
}

/**
 * The unprivileged user for a server that root starts: the owner of the directory when it has one already, so
 * that a directory stays with one user, else `postgres`, else `nobody`. Undefined when we are not root.
 * No account is created: that would change the machine.
 *
 * @throws EmbeddedDatabaseError when root finds no such account
 */
export async function choosePostgresUser(directory: string): Promise<PostgresUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const owner = await stat(directory).catch(() => undefined);
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const account = (await findAccount("postgres")) ?? (await findAccount("nobody"));
  if (account === undefined || account.uid === 0) {
    throw new EmbeddedDatabaseError(
      "PostgreSQL refuses to run as root, and this machine has neither a user postgres nor nobody: " +
        "run Polyphase as an ordinary user or set DATABASE_URL",
    );
  }
  return account;
}
