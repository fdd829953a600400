import pg from "pg";

/**
 * Keeps every transaction that writes from being committed, while queries go on, until it is released. The tables are
 * locked against writers, so that a commit is under way for as long as a test needs.
 */
export class HeldCommits {
  readonly #client: pg.Client;

  private constructor(client: pg.Client) {
    this.#client = client;
  }

  /** Resolves once nobody can write. */
  static async hold(databaseUrl: string): Promise<HeldCommits> {
    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    await client.query("begin");
    const { rows } = await client.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables
       where schemaname not in ('pg_catalog', 'information_schema') order by name`,
    );
    await client.query(`lock table ${rows.map(({ name }) => name).join(", ")} in share mode`);
    return new HeldCommits(client);
  }

  /** Lets all writes go on. May be called more than once. */
  async release(): Promise<void> {
    await this.#client.end();
  }
}
