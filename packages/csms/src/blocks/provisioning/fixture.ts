import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { ManualClock, startTestDatabase, type TestDatabase } from "@polyphase/testing";
import type { FastifyInstance } from "fastify";
import type { Migration } from "kysely";
import type { CommandRegistry } from "../../gateway/commands.ts";
import type { StationCalls, StationMessageRoutes } from "../../gateway/station-messages.ts";
import {
  type BlockDatabase,
  ManualTimers,
  openBlockDatabase,
  serveBlocks,
  silentLog,
  TestGateway,
} from "../fixture.ts";
import { createProvisioning, migrations, type Provisioning, type ProvisioningDependencies } from "./index.ts";

/** A block that is tested together with provisioning. */
export interface BlockBeside {
  registerRoutes(routes: StationMessageRoutes): void;
  registerCommands(commands: CommandRegistry, calls: StationCalls): void;
  readonly api: FastifyPluginAsyncTypebox;
}

/** Tables that are made besides those of provisioning, and the names of those that tests fill. */
export interface TablesBeside {
  readonly migrations: Readonly<Record<string, Migration>>;
  readonly tables: readonly string[];
}

/** The block provisioning, and others beside it, on a real database with stations that are objects. */
export class ProvisioningBench {
  readonly #testDatabase: TestDatabase;
  readonly #beside: TablesBeside;
  #running: { readonly provisioning: Provisioning; readonly server: FastifyInstance } | undefined;
  clock = new ManualClock();
  timers = new ManualTimers();
  blocks: BlockDatabase;
  gateway: TestGateway;

  private constructor(testDatabase: TestDatabase, beside: TablesBeside, blocks: BlockDatabase) {
    this.#testDatabase = testDatabase;
    this.#beside = beside;
    this.blocks = blocks;
    this.gateway = new TestGateway(this.clock, blocks.groupCommit);
  }

  /** Makes a database of its own; {@link close} removes it. */
  static async open(beside: TablesBeside = { migrations: {}, tables: [] }): Promise<ProvisioningBench> {
    const testDatabase = await startTestDatabase();
    const blocks = await openBlockDatabase(testDatabase.url, { ...migrations, ...beside.migrations });
    return new ProvisioningBench(testDatabase, beside, blocks);
  }

  get provisioning(): Provisioning {
    return this.#started.provisioning;
  }

  /** Serves the routes of the blocks below `/api/v1`. */
  get server(): FastifyInstance {
    return this.#started.server;
  }

  /** Forgets all stations and sets the clock; nothing is started. */
  async empty(): Promise<void> {
    for (const table of ["station", "variable", ...this.#beside.tables]) {
      await this.blocks.database.deleteFrom(table as never).execute();
    }
    this.blocks.events.length = 0;
    this.clock = new ManualClock("2026-03-01T12:00:00Z");
    this.timers = new ManualTimers();
  }

  /** Makes the blocks anew on what is stored, as a process that starts, and tells them of no station. */
  async start(
    options: Partial<ProvisioningDependencies> = {},
    besides: (provisioning: Provisioning) => readonly BlockBeside[] = () => [],
  ): Promise<void> {
    await this.end();
    const { clock, timers } = this;
    const { database, groupCommit } = this.blocks;
    const random = () => 0.5;
    const log = silentLog;
    const provisioning = createProvisioning({ database, groupCommit, clock, timers, log, random, ...options });
    this.gateway = new TestGateway(clock, groupCommit);
    const all = [provisioning, ...besides(provisioning)];
    for (const block of all) {
      block.registerRoutes(this.gateway.routes);
      block.registerCommands(this.gateway.commands, this.gateway.stations);
    }
    this.#running = { provisioning, server: await serveBlocks(...all.map(({ api }) => api)) };
  }

  /** Registers a station. */
  put(stationId: string, settings: object = {}) {
    return this.server.inject({ method: "PUT", url: `/api/v1/stations/${stationId}`, payload: settings });
  }

  /** Opens the database again, whose connections a test has closed. */
  async reconnect(): Promise<void> {
    await this.blocks.close();
    this.blocks = await openBlockDatabase(this.#testDatabase.url, { ...migrations, ...this.#beside.migrations });
  }

  /** Ends the blocks; the database stays. */
  async end(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    running?.provisioning.close();
    await running?.server.close();
  }

  async close(): Promise<void> {
    await this.end();
    await this.blocks.close();
    await this.#testDatabase.drop();
  }

  get #started() {
    if (this.#running === undefined) throw new Error("nothing was started");
    return this.#running;
  }
}
