import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { Timers } from "@polyphase/ocpp";
import { sql } from "kysely";
import type { Logger } from "pino";
import { type Access, createAccess } from "./api/access.ts";
import { registerCommitMetrics } from "./api/commit-metrics.ts";
import { registerDatabaseMetrics } from "./api/database-metrics.ts";
import { eventRoutes } from "./api/events/routes.ts";
import { NotReadyError, type ReadinessCheck } from "./api/health.ts";
import { Metrics } from "./api/metrics.ts";
import { migrations as apiMigrations } from "./api/migrations.ts";
import { type ApiServer, createApi } from "./api/server.ts";
import { WebhookStore, Webhooks, migrations as webhookMigrations, webhookRoutes } from "./api/webhooks/index.ts";
import { migrations as authorizationMigrations, createAuthorization } from "./blocks/authorization/index.ts";
import { migrations as availabilityMigrations, createAvailability } from "./blocks/availability/index.ts";
import { createCertificates } from "./blocks/certificates/index.ts";
import { createDataTransfer, type DataTransfer } from "./blocks/data-transfer/index.ts";
import { createDiagnostics } from "./blocks/diagnostics/index.ts";
import { createFirmware } from "./blocks/firmware/index.ts";
import { createLocalAuthorizationList } from "./blocks/local-authorization-list/index.ts";
import {
  createMetering,
  hourSumPartitions,
  migrations as meteringMigrations,
  meterValuePartitions,
} from "./blocks/metering/index.ts";
import { createProvisioning, migrations as provisioningMigrations } from "./blocks/provisioning/index.ts";
import { createRemoteControl } from "./blocks/remote-control/index.ts";
import { createReservation } from "./blocks/reservation/index.ts";
import { createSecurity, migrations as securityMigrations } from "./blocks/security/index.ts";
import { createSmartCharging } from "./blocks/smart-charging/index.ts";
import {
  createTransactions,
  transactionEventPartitions,
  migrations as transactionMigrations,
} from "./blocks/transactions/index.ts";
import { createUnmanagedReports } from "./blocks/unmanaged/index.ts";
import type { Clock } from "./clock.ts";
import type { Config } from "./config.ts";
import type { Database } from "./database/connection.ts";
import type { FreeSpace } from "./database/free-space.ts";
import { createGroupCommit, type GroupCommitOptions } from "./database/group-commit.ts";
import { mergeMigrations } from "./database/migrate.ts";
import type { PartitionedTable } from "./database/partitions.ts";
import { EventLog, EventStore, migrations as eventMigrations } from "./events/index.ts";
import {
  createGateway,
  DeviationWatch,
  type Gateway,
  migrations as gatewayMigrations,
  messageLogTable,
  readAddresses,
  readLastSeen,
} from "./gateway/index.ts";

/** Every migration of every block. */
export const migrations = mergeMigrations(
  eventMigrations,
  apiMigrations,
  webhookMigrations,
  gatewayMigrations,
  securityMigrations,
  provisioningMigrations,
  authorizationMigrations,
  transactionMigrations,
  meteringMigrations,
  availabilityMigrations,
);

/** The tables that are partitioned by time, with the retention that is configured. */
export function partitionedTables(config: Config): readonly PartitionedTable[] {
  return [
    // Before the values that they were made from.
    hourSumPartitions(config.meterRetentionDays),
    meterValuePartitions(config.meterRetentionDays),
    transactionEventPartitions(Math.min(config.transactionEventRetentionDays, config.transactionRetentionDays)),
    messageLogTable(config.messageRetentionDays),
  ];
}

/** The parts of a CSMS, connected but not started. */
export interface Parts {
  readonly gateway: Gateway;
  readonly access: Access;
  readonly server: ApiServer;
  readonly eventStore: EventStore;
  /** Where vendors' messages are answered. */
  readonly dataTransfer: DataTransfer;
  /** Reads what is kept in memory. Before it no station may connect and no request be served. */
  load(): Promise<void>;
  /** Ends timers and writes what waits; the gateway and the HTTP server are closed before. */
  close(): Promise<void>;
}

interface Block {
  load?(): Promise<void>;
  registerRoutes?(routes: Gateway["routes"]): void;
  registerCommands?(commands: Gateway["commands"], calls: Gateway["calls"]): void;
  readonly api?: FastifyPluginAsyncTypebox;
  close?(): void | Promise<void>;
}

/** A CSMS is ready while its database answers and takes writes: stations get errors for all that is to be stored else. */
function readinessChecks(database: Database, refusal: () => string | undefined) {
  const fail = (reason: string | undefined) => {
    if (reason !== undefined) throw new NotReadyError(reason);
  };
  return {
    async database() {
      fail(database.away);
      await sql`select 1`.execute(database.kysely).catch((error: unknown) => {
        fail(database.away);
        throw error;
      });
    },
    writes: () => fail(refusal()),
  } satisfies Record<string, ReadinessCheck>;
}

/** Connects the parts of a CSMS. The only place that knows them all. */
export async function compose(deps: {
  readonly config: Config;
  readonly database: Database;
  /** The disk that the database lies on, where it is ours. */
  readonly space: FreeSpace | undefined;
  /** As in {@link createGroupCommit}. */
  readonly commitTimes: Pick<GroupCommitOptions, "patienceMs" | "attemptTimeoutMs">;
  readonly clock: Clock;
  /** By which it is judged what is too old. Default: `clock`. */
  readonly retentionClock?: Clock;
  /** Passing time, for what transactions wait for. Default: the machine's. */
  readonly timers?: Pick<Timers, "after"> | undefined;
  readonly log: Logger;
  readonly version: string;
}): Promise<Parts> {
  const { config, clock, log, version } = deps;
  const database = deps.database.kysely;
  const metrics = new Metrics();
  metrics.collectProcess();

  const eventStore = new EventStore(database);
  const eventLog = new EventLog({ store: eventStore, log });
  const groupCommit = createGroupCommit({
    openClient: () => deps.database.openClient({ pipeline: true }),
    events: eventLog,
    log,
    refusal: () => deps.space?.shortage,
    ...deps.commitTimes,
  });
  registerCommitMetrics(metrics, () => groupCommit.counts());
  registerDatabaseMetrics(metrics, () => ({
    away: deps.database.away,
    refusal: groupCommit.failing,
    freeBytes: deps.space?.freeBytes,
  }));
  const shared = { database, groupCommit, clock, log };

  const deviations = new DeviationWatch({
    ...{ ...shared, metrics },
    stations: { find: (stationId) => provisioning.knownStations.find(stationId) },
  });
  const provisioning = createProvisioning({
    ...shared,
    deviations,
    rules: { unknownStations: config.unknownStations, heartbeatIntervalS: config.heartbeatIntervalS },
    metrics,
    lastSeen: {
      lastSeen: (stationIds) => readLastSeen(database, stationIds),
      addresses: () => readAddresses(database),
    },
  });
  const security = createSecurity({
    ...shared,
    retentionClock: deps.retentionClock,
    stations: provisioning.knownStations,
  });
  provisioning.onDeletion((stationId, unit) => security.removeStation(stationId, unit));
  const metering = createMetering(shared);
  const authorization = createAuthorization({
    ...shared,
    siteOf: (stationId) => provisioning.station(stationId)?.site,
  });
  const transactions = createTransactions({ ...shared, authorization, metering, timers: deps.timers, deviations });
  provisioning.onBoot((stationId) => transactions.stationBooted(stationId));
  const dataTransfer = createDataTransfer(shared);
  const blocks: readonly Block[] = [
    provisioning,
    security,
    // Remote control gives a remote start its id, by which authorization expects it.
    createRemoteControl(),
    authorization,
    metering,
    transactions,
    createAvailability({ ...shared, provisioning, connectorShown: transactions.connectorShown }),
    dataTransfer,
    createCertificates(shared),
    createDiagnostics({ provisioning }),
    createFirmware(),
    createLocalAuthorizationList(),
    createReservation(),
    createSmartCharging(),
    createUnmanagedReports(),
  ];

  const gateway = createGateway({
    ...shared,
    stations: provisioning.knownStations,
    credentials: security.credentials,
    metrics,
    isDiskShort: () => deps.space?.shortage !== undefined,
    deviations,
    operatorName: config.operatorName,
    stationOrigins: config.stationOrigins,
    soapPublicUrl: config.soapPublicUrl,
    limits: {
      callTimeoutMs: config.callTimeoutS * 1_000,
      pingIntervalMs: config.pingIntervalS * 1_000,
      pongTimeoutMs: config.pongTimeoutS * 1_000,
    },
  });
  provisioning.onDeletion((stationId, unit) => gateway.removeStation(stationId, unit));
  for (const block of blocks) {
    block.registerRoutes?.(gateway.routes);
    block.registerCommands?.(gateway.commands, gateway.calls);
  }

  const access = createAccess({ ...shared, adminToken: config.adminToken });
  const events = eventRoutes({
    events: eventLog,
    store: eventStore,
    isStillAllowed: (caller) => access.keys.isStillAllowed(caller),
  });
  const webhooks = new Webhooks({ store: new WebhookStore(database), events: eventLog, clock, log });
  const apis = [gateway.api, events, webhookRoutes(webhooks), access.api, ...blocks.map((block) => block.api)];
  const server = await createApi({
    log,
    clock,
    version,
    metrics,
    credentials: access.keys,
    audit: access.audit,
    plugins: apis.filter((api) => api !== undefined),
    rootPlugins: [access.pages],
    readiness: readinessChecks(deps.database, () => groupCommit.failing),
    figures: () => {
      const connected = [...gateway.calls.sessions()];
      const running = connected.map(({ stationId }) => transactions.openOf(stationId).length);
      return [
        { label: "Stations connected", value: connected.length },
        { label: "Transactions running at them", value: running.reduce((sum, count) => sum + count, 0) },
      ];
    },
    // A command may take as long as its station may take to answer.
    patience: { idleMs: Math.max(120_000, (config.callTimeoutS + 30) * 1_000) },
    ...(config.trustedProxies === undefined ? {} : { trustedProxies: config.trustedProxies }),
  });

  return {
    gateway,
    access,
    server,
    eventStore,
    dataTransfer,
    async load() {
      await eventLog.load();
      await access.load();
      for (const block of blocks) await block.load?.();
      await gateway.load();
      await webhooks.load();
    },
    async close() {
      // A block that cannot end must not keep what waits from being written.
      for (const ended of await Promise.allSettled(blocks.map(async (block) => block.close?.()))) {
        if (ended.status === "rejected") log.error({ err: ended.reason }, "a block did not end in good order");
      }
      await groupCommit.close();
      await webhooks.close();
      eventLog.close();
      await access.close();
    },
  };
}
