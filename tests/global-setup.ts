import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { startEmbeddedPostgres } from "@polyphase/csms/embedded-postgres";
import { offerTestDatabases } from "@polyphase/testing";

const PREFIX = "polyphase-test-run-";

/** Speed before safety: what a test run stores need not outlive it. */
const settings = {
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  wal_level: "minimal",
  max_wal_senders: "0",
  max_connections: "300",
};

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** A killed run cannot remove its directory; the next one does. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length).split("-")[0]) : Number.NaN;
    if (Number.isNaN(pid) || isRunning(pid)) continue;
    await rm(path.join(tmpdir(), name), { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Offers every test of the run one PostgreSQL, started when the first asks for it. */
export default async function setup(): Promise<() => Promise<void>> {
  await removeLeftovers();
  const directory = await mkdtemp(path.join(tmpdir(), `${PREFIX}${process.pid}-`));
  const stop = await offerTestDatabases(() =>
    startEmbeddedPostgres({ directory: path.join(directory, "postgres"), settings }),
  );
  return async () => {
    await stop();
    await rm(directory, { recursive: true, force: true });
  };
}
