import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { Ocpp21 } from "@polyphase/ocpp";
import type { Kysely } from "kysely";
import type { Clock } from "../../clock.ts";
import type { GroupCommit } from "../../database/write-unit.ts";
import type { CommandRegistry } from "../../gateway/commands.ts";
import type { StationMessageRoutes } from "../../gateway/station-messages.ts";
import { tokenRoutes } from "./api.ts";
import { registerFamily1 } from "./ocpp1.ts";
import { registerFamily2 } from "./ocpp2.ts";
import { REMOTE_START_KEPT_MS, type RemoteStart } from "./remote-starts.ts";
import { AuthorizationService } from "./service.ts";
import { readRemoteStarts, readTokens } from "./store.ts";
import { type AuthorizationPolicy, defaultPolicy } from "./verdict.ts";

export { idTagInfoOf } from "./id-tag-info.ts";
export type { AllowedStation, AuthorizationStatus, IdToken, IdTokenSettings } from "./id-token.ts";
export { migrations } from "./migrations.ts";
export type { RemoteStart } from "./remote-starts.ts";
export type { AuthorizationPolicy } from "./verdict.ts";

/** The token that asks, and where. */
export interface AuthorizationRequest {
  readonly idToken: string;
  /** IdTokenEnum of 2.1; family 1 does not tell and passes undefined. */
  readonly type?: string;
  readonly stationId: string;
  readonly evseId?: number;
  /** Whether the question is about starting (counts against concurrent transactions) or merely informs. */
  readonly purpose: "start" | "inform";
  /** Identities of transactions that do not count against concurrency: the one that is asked about, and those it replaces. */
  readonly except?: ReadonlySet<string>;
}

/** Decides about tokens from memory, without a round trip to the database. */
export interface Authorizer {
  /** The 2.1 verdict, with groupIdToken and cacheExpiryDateTime where known. */
  authorize(request: AuthorizationRequest): Ocpp21.IdTokenInfoType;
}

/** Tells the authorizer which transactions are open, for its concurrency rule. */
export interface OpenTransactions {
  /** How many open transactions a token was accepted for, but for some; letters compare without case. */
  openTransactionsOf(idToken: string, except?: ReadonlySet<string>): number;
}

/** Tells which remote start a transaction of family 1 answers, because its messages do not name it. */
export interface RemoteStartRecord {
  remoteStartFor(stationId: string, idToken: string, evseId: number): RemoteStart | undefined;
  /** The transaction that answers it is stored. */
  remoteStartAnswered(start: RemoteStart): void;
}

/** What authorization works with. */
export interface AuthorizationDependencies {
  readonly database: Kysely<unknown>;
  readonly groupCommit: GroupCommit;
  readonly clock: Clock;
  /** What holds where a token does not say. */
  readonly policy?: Partial<AuthorizationPolicy>;
  /** The site of a station. Default: none has one. */
  readonly siteOf?: (stationId: string) => string | undefined;
}

/** Block C, authorization: tokens and the verdicts on them. */
export interface Authorization extends Authorizer, RemoteStartRecord {
  /** Reads the tokens. Must be done before the first message. */
  load(): Promise<void>;
  registerRoutes(routes: StationMessageRoutes): void;
  /** Register it after remote control, which gives a remoteStartId where the caller leaves it out. */
  registerCommands(commands: CommandRegistry): void;
  readonly api: FastifyPluginAsyncTypebox;
  /** Names who knows the open transactions; until then none counts. */
  countOpenTransactionsOf(open: OpenTransactions): void;
}

/** Makes the block. */
export function createAuthorization(dependencies: AuthorizationDependencies): Authorization {
  const { database, groupCommit, clock } = dependencies;
  const service = new AuthorizationService({
    groupCommit,
    clock,
    policy: { ...defaultPolicy, ...dependencies.policy },
    siteOf: dependencies.siteOf ?? (() => undefined),
  });
  return {
    authorize: (request) => service.authorize(request),
    async load() {
      const since = new Date(clock.now().getTime() - REMOTE_START_KEPT_MS);
      const [tokens, remoteStarts] = [await readTokens(database), await readRemoteStarts(database, since)];
      service.restore(tokens, remoteStarts);
    },
    registerRoutes(routes) {
      registerFamily1(routes, service);
      registerFamily2(routes, service);
    },
    registerCommands: (commands) => expectRemoteStarts(commands, service),
    api: tokenRoutes(service, database),
    countOpenTransactionsOf: (open) => service.countOpenTransactionsOf(open),
    remoteStartFor: (stationId, idToken, evseId) => service.remoteStartFor(stationId, idToken, evseId),
    remoteStartAnswered: (start) => service.remoteStartAnswered(start),
  };
}

/** The token of a remote start is expected before it is sent: the transaction may come before the answer. */
function expectRemoteStarts(commands: CommandRegistry, service: AuthorizationService): void {
  commands.prepare("RequestStartTransaction", async (stationId, request) => {
    // Not validated yet; what is wrong is told to the caller afterwards.
    const idToken: unknown = request?.idToken?.idToken;
    const remoteStartId: unknown = request?.remoteStartId;
    if (typeof idToken === "string" && idToken !== "" && Number.isSafeInteger(remoteStartId)) {
      const evseId = Number.isSafeInteger(request.evseId) ? request.evseId : undefined;
      await service.expectRemoteStart({ stationId, remoteStartId: Number(remoteStartId), idToken, evseId });
    }
    return request;
  });
  commands.completed("RequestStartTransaction", (stationId, { remoteStartId }, { status }) => {
    if (status !== "Accepted") service.cancelRemoteStart(stationId, remoteStartId);
  });
}
