import { type Kysely, type Migration, Migrator, sql } from "kysely";

/** The database was written by a newer Polyphase; this one must not touch it. */
export class DatabaseTooNewError extends Error {
  override readonly name = "DatabaseTooNewError";
  /** Migrations that the database has and this program does not know. */
  readonly unknownMigrations: readonly string[];

  constructor(unknownMigrations: readonly string[]) {
    super(
      `the database was written by a newer version of Polyphase (it has ${unknownMigrations.join(", ")}): ` +
        "start that version, or restore a backup of before",
    );
    this.unknownMigrations = unknownMigrations;
  }
}

/** A migration failed; the database is as it was before. */
export class MigrationError extends Error {
  override readonly name = "MigrationError";
  readonly migration: string;

  constructor(migration: string, cause: unknown) {
    super(`migration ${migration} failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.migration = migration;
  }
}

const TABLE = "schema_migration";
const LOCK_TABLE = "schema_migration_lock";

/**
 * Joins the migrations of all blocks.
 *
 * @throws TypeError when two have the same name
 */
export function mergeMigrations(
  ...records: readonly Readonly<Record<string, Migration>>[]
): Readonly<Record<string, Migration>> {
  const merged: Record<string, Migration> = {};
  for (const record of records) {
    for (const [name, migration] of Object.entries(record)) {
      if (name in merged) throw new TypeError(`two migrations are named ${name}`);
      merged[name] = migration;
    }
  }
  return merged;
}

/** A migration may rewrite large tables: the statement time-out of the pool is not for it. */
function withoutTimeout(migration: Migration): Migration {
  return {
    async up(database) {
      await sql`set local statement_timeout = 0`.execute(database);
      await migration.up(database);
    },
  };
}

async function executedNames(database: Kysely<unknown>): Promise<readonly string[]> {
  const found = await sql<{ exists: boolean }>`select to_regclass(${TABLE}) is not null as exists`.execute(database);
  if (found.rows[0]?.exists !== true) return [];
  const { rows } = await sql<{ name: string }>`select name from ${sql.table(TABLE)} order by name`.execute(database);
  return rows.map(({ name }) => name);
}

/**
 * Brings the database to the state of this program, in one transaction. Several nodes may do it at once: a lock
 * lets one after the other. A block's new migration may sort before those of other blocks that were already done.
 *
 * @returns names of the migrations that were carried out
 * @throws DatabaseTooNewError when the database knows migrations that this program does not
 * @throws MigrationError when one fails; nothing is changed then
 */
export async function migrateDatabase(
  database: Kysely<unknown>,
  migrations: Readonly<Record<string, Migration>>,
): Promise<readonly string[]> {
  const unknown = (await executedNames(database)).filter((name) => !(name in migrations));
  if (unknown.length > 0) throw new DatabaseTooNewError(unknown);
  const provided = Object.fromEntries(
    Object.entries(migrations).map(([name, migration]) => [name, withoutTimeout(migration)]),
  );
  const migrator = new Migrator({
    db: database,
    provider: { getMigrations: () => Promise.resolve(provided) },
    migrationTableName: TABLE,
    migrationLockTableName: LOCK_TABLE,
    allowUnorderedMigrations: true,
  });
  const { error, results = [] } = await migrator.migrateToLatest();
  if (error !== undefined) {
    throw new MigrationError(results.find(({ status }) => status === "Error")?.migrationName ?? "(none)", error);
  }
  return results.map(({ migrationName }) => migrationName);
}
