import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { Timers } from "@polyphase/ocpp";
import type { Kysely } from "kysely";
import type { Logger } from "pino";
import type { Clock } from "../../clock.ts";
import type { GroupCommit } from "../../database/write-unit.ts";
import type { StationCalls, StationMessageRoutes } from "../../gateway/station-messages.ts";
import { type StationDeviations, unwatchedDeviations } from "../../gateway/tolerance/conduct.ts";
import type { Authorization, OpenTransactions } from "../authorization/index.ts";
import type { Metering } from "../metering/index.ts";
import { transactionRoutes } from "./api.ts";
import { summaryRoutes } from "./history/summary-api.ts";
import { type ConnectorShown, SilentEnds } from "./ledger/silent-ends.ts";
import { TransactionLedger } from "./ledger/transaction-ledger.ts";
import { TransactionNumbers } from "./memory/transaction-numbers.ts";
import { registerFamily1 } from "./ocpp1.ts";
import { registerFamily2 } from "./ocpp2.ts";
import { TransactionService } from "./service.ts";
import { TransactionStore } from "./store.ts";
import type { Transaction } from "./transaction/transaction.ts";
import { uuidV7 } from "./transaction/transaction-id.ts";

export { keepTransactions } from "./history/transaction-retention.ts";
export type { ConnectorShown } from "./ledger/silent-ends.ts";
export { migrations } from "./migrations.ts";
export type { Transaction } from "./transaction/transaction.ts";
export type { TransactionStatus } from "./transaction/transaction-state.ts";
export { transactionEventPartitions } from "./transaction-rows.ts";

/** What transactions work with. */
export interface TransactionsDependencies {
  readonly database: Kysely<unknown>;
  readonly groupCommit: GroupCommit;
  /** Is told of the open transactions, which its rule about concurrent ones needs. */
  readonly authorization: Pick<
    Authorization,
    "authorize" | "remoteStartFor" | "remoteStartAnswered" | "countOpenTransactionsOf"
  >;
  readonly metering: Metering;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told of what stations do that breaks no schema. Default: everything is tolerated and nothing told. */
  readonly deviations?: StationDeviations;
  /** Makes the identity of a transaction, a UUID. Default: version 7. */
  readonly newId?: () => string;
  /**
   * How many transactions that are over stay in memory for late events, more than messages are under way at once;
   * others are read again. Default 5,000.
   */
  readonly keptAfterEnd?: number;
  /** Waits before something that failed in the background is tried again. Default: a timer. */
  readonly pause?: (timeMs: number, signal: AbortSignal) => Promise<void>;
  /** Passing time, for what is done later. Default: timers that keep no process alive. */
  readonly timers?: Pick<Timers, "after"> | undefined;
}

/** The machine's timers. */
const systemTimers: Pick<Timers, "after"> = {
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs).unref();
    return () => clearTimeout(timer);
  },
};

/** Block E, transactions; answers the MeterValues of block J too, which it counts to what runs on the EVSE. */
export interface Transactions extends OpenTransactions {
  /** Reads what runs. Must be done before the first message. */
  load(): Promise<void>;
  registerRoutes(routes: StationMessageRoutes): void;
  /** Learns how stations are asked. */
  registerCommands(commands: unknown, calls: StationCalls): void;
  /** A station was accepted after a boot: what it forgot will be found out. */
  stationBooted(stationId: string): void;
  /** A station of family 1 shows what a connector does, now or before a restart of ours. */
  connectorShown(stationId: string, shown: ConnectorShown): void;
  readonly api: FastifyPluginAsyncTypebox;
  /** Open transactions of a station. */
  openOf(stationId: string): readonly Transaction[];
  /** The transaction that runs on an EVSE. */
  runningOn(stationId: string, evseId: number): Transaction | undefined;
  /** Resolves when nothing is under way that no message waits for. */
  settled(): Promise<void>;
  /** Gives up what is only to be tried again, and waits for the rest. */
  close(): Promise<void>;
}

/** Makes the block. */
export function createTransactions(dependencies: TransactionsDependencies): Transactions {
  const { database, groupCommit, authorization, metering, clock, log } = dependencies;
  const deviations = dependencies.deviations ?? unwatchedDeviations;
  const store = new TransactionStore(database);
  const ledger = new TransactionLedger({
    groupCommit,
    store,
    metering,
    authorizer: authorization,
    clock,
    log,
    deviations,
    newId: dependencies.newId ?? uuidV7(clock),
    keptAfterEnd: dependencies.keptAfterEnd,
    ...(dependencies.pause === undefined ? {} : { pause: dependencies.pause }),
  });
  const service = new TransactionService({
    ledger,
    store,
    groupCommit,
    metering,
    remoteStarts: authorization,
    numbers: new TransactionNumbers(() => store.reserveNumbers()),
    clock,
    log,
    deviations,
  });
  authorization.countOpenTransactionsOf(service);
  let calls: StationCalls | undefined;
  const timers = dependencies.timers ?? systemTimers;
  const silentEnds = new SilentEnds({ ledger, clock, log, calls: () => calls, timers });
  return {
    load: () => ledger.load(),
    registerRoutes(routes) {
      registerFamily1(routes, service, deviations);
      registerFamily2(routes, service, deviations);
    },
    registerCommands(_commands, stationCalls) {
      calls = stationCalls;
    },
    stationBooted: (stationId) => silentEnds.booted(stationId),
    connectorShown: (stationId, shown) => silentEnds.connectorShown(stationId, shown),
    api: async (server) => {
      await server.register(summaryRoutes(database));
      await server.register(transactionRoutes(store, metering, (id) => service.closeByOperator(id)));
    },
    openTransactionsOf: (idToken, except) => service.openTransactionsOf(idToken, except),
    openOf: (stationId) => service.openOf(stationId),
    runningOn: (stationId, evseId) => service.runningOn(stationId, evseId),
    settled: () => ledger.settled(),
    async close() {
      await silentEnds.close();
      await ledger.close();
    },
  };
}
