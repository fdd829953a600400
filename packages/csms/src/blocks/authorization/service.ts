import type { Ocpp21 } from "@polyphase/ocpp";
import type { Clock } from "../../clock.ts";
import type { GroupCommit } from "../../database/write-unit.ts";
import { SerialTasks } from "../../serial-tasks.ts";
import { type IdToken, type IdTokenSettings, keyOf } from "./id-token.ts";
import type { AuthorizationRequest, Authorizer, OpenTransactions } from "./index.ts";
import { type RemoteStart, RemoteStarts } from "./remote-starts.ts";
import { deleteToken, remoteStartRow, saveRemoteStart, saveToken, tokenRow } from "./store.ts";
import { type AuthorizationPolicy, judge } from "./verdict.ts";

/** What the service works with. */
export interface AuthorizationServiceParts {
  readonly groupCommit: GroupCommit;
  readonly clock: Clock;
  readonly policy: AuthorizationPolicy;
  /** The site of a station, for tokens that are good at some sites only. */
  readonly siteOf: (stationId: string) => string | undefined;
}

/** Tokens and the verdicts on them (block C). All tokens are in memory; the database is their truth. */
export class AuthorizationService implements Authorizer {
  readonly #parts: AuthorizationServiceParts;
  readonly #tokens = new Map<string, IdToken>();
  readonly #remoteStarts = new RemoteStarts();
  /** Changes of one token are stored in their order, which those of one group would not be. */
  readonly #changes = new SerialTasks();
  #open: OpenTransactions = { openTransactionsOf: () => 0 };

  constructor(parts: AuthorizationServiceParts) {
    this.#parts = parts;
  }

  /** Puts what was read from the database into memory, in place of what is there. */
  restore(tokens: Iterable<IdToken>, remoteStarts: Iterable<RemoteStart>): void {
    this.#tokens.clear();
    for (const token of tokens) this.#tokens.set(keyOf(token.idToken), token);
    this.#remoteStarts.clear();
    for (const start of remoteStarts) this.#remoteStarts.add(start);
  }

  countOpenTransactionsOf(open: OpenTransactions): void {
    this.#open = open;
  }

  authorize(request: AuthorizationRequest): Ocpp21.IdTokenInfoType {
    const { idToken, type, stationId, evseId, purpose, except } = request;
    const { policy, clock, siteOf } = this.#parts;
    if (type === "NoAuthorization") {
      // C02.FR.01, C02.FR.02: no token is presented, and the CSMS accepts.
      return { status: policy.noAuthorization === "accept" ? "Accepted" : "Invalid" };
    }
    if (idToken === "") return { status: "Invalid" };
    const token = this.#find(idToken, type);
    if (token === undefined) return { status: this.#judgeUnknown(stationId, idToken, type) };
    return judge(token, {
      now: clock.now(),
      stationId,
      site: siteOf(stationId),
      evseId,
      otherTransactions: purpose === "start" ? this.#open.openTransactionsOf(idToken, except) : undefined,
      policy,
    });
  }

  get(idToken: string): IdToken | undefined {
    return this.#tokens.get(keyOf(idToken));
  }

  /** Registers a token or changes it. Returns it and whether it is new. */
  put(idToken: string, settings: IdTokenSettings): Promise<{ token: IdToken; isNew: boolean }> {
    return this.#changes.run(keyOf(idToken), () => this.#put(idToken, settings));
  }

  /** Removes a token. Returns false when there is none. */
  remove(idToken: string): Promise<boolean> {
    return this.#changes.run(keyOf(idToken), () => this.#remove(idToken));
  }

  async #put(idToken: string, settings: IdTokenSettings): Promise<{ token: IdToken; isNew: boolean }> {
    const known = this.get(idToken);
    const now = this.#parts.clock.now();
    const token: IdToken = { ...settings, idToken, createdAt: known?.createdAt ?? now, updatedAt: now };
    const change = known === undefined ? "created" : "updated";
    await this.#parts.groupCommit
      .unit()
      .add(saveToken, tokenRow(token))
      .publish({ type: "id-token.changed", stationId: "", timestamp: now, data: { idToken, change } })
      .commit();
    this.#tokens.set(keyOf(idToken), token);
    return { token, isNew: known === undefined };
  }

  async #remove(idToken: string): Promise<boolean> {
    const known = this.get(idToken);
    if (known === undefined) return false;
    await this.#parts.groupCommit
      .unit()
      .add(deleteToken, { key: keyOf(idToken) })
      .publish({
        type: "id-token.changed",
        stationId: "",
        timestamp: this.#parts.clock.now(),
        data: { idToken: known.idToken, change: "deleted" },
      })
      .commit();
    this.#tokens.delete(keyOf(idToken));
    return true;
  }

  /** A station is about to be asked to start with a token: it will be accepted there, registered or not (C05). */
  async expectRemoteStart(start: Omit<RemoteStart, "requestedAt">): Promise<void> {
    const expected = { ...start, requestedAt: this.#parts.clock.now() };
    await this.#parts.groupCommit.unit().add(saveRemoteStart, remoteStartRow(expected)).commit();
    this.#remoteStarts.add(expected);
  }

  /** The station will not start. */
  cancelRemoteStart(stationId: string, remoteStartId: number): void {
    this.#remoteStarts.remove(stationId, remoteStartId);
  }

  /** The remote start that a transaction of family 1, which names none, answers. */
  remoteStartFor(stationId: string, idToken: string, evseId: number): RemoteStart | undefined {
    return this.#remoteStarts.find(stationId, idToken, evseId, this.#parts.clock.now());
  }

  /** A transaction has answered a remote start. */
  remoteStartAnswered(start: RemoteStart): void {
    this.#remoteStarts.markAnswered(start);
  }

  /** C01.FR.25: tokens are equal when value and type are; a token without a type is good for all. */
  #find(idToken: string, type: string | undefined): IdToken | undefined {
    const token = this.#tokens.get(keyOf(idToken));
    const differs = type !== undefined && token?.type !== undefined && token.type !== type;
    return differs ? undefined : token;
  }

  #judgeUnknown(stationId: string, idToken: string, type: string | undefined): Ocpp21.AuthorizationStatusEnumType {
    const { policy, clock } = this.#parts;
    if (policy.unknownTokens === "accept") return "Accepted";
    if (this.#remoteStarts.isExpected(stationId, idToken, clock.now())) return "Accepted";
    // C04.FR.01.
    return type === "KeyCode" ? "Invalid" : "Unknown";
  }
}
