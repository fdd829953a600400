import type pg from "pg";
import type { DomainEvent } from "../events/domain-event.ts";
import type { EventInsertRow, EventSink, ReservedEvents } from "../events/event-sink.ts";
import { BEGIN_GROUP } from "./group-scope.ts";
import { type CompiledRow, planWrites } from "./write-plan.ts";

/** What became of one attempt to store a group. */
export type Outcome =
  | { readonly kind: "stored"; readonly reserved: ReservedEvents | undefined }
  /** Nothing was stored, and a row of the group is the reason. */
  | { readonly kind: "refused"; readonly error: unknown }
  /** Nothing was stored, for a reason that passes: a deadlock, a full disk, a server that stops. */
  | { readonly kind: "passing"; readonly error: unknown }
  /** The connection was lost after COMMIT was sent: it may be stored or not. */
  | {
      readonly kind: "undecided";
      readonly error: unknown;
      readonly reserved: ReservedEvents | undefined;
      /** Number of the transaction, by which the server knows what became of it. */
      readonly transactionId: string | undefined;
    };

/** The writes and events of one transaction. */
export interface GroupContents {
  readonly rows: readonly CompiledRow[];
  readonly events: readonly DomainEvent[];
}

// Classes and codes of SQLSTATE that tell of the server's state and not of a row.
const PASSING_CLASSES = new Set(["08", "40", "53", "57", "58"]);
const PASSING_CODES = new Set([
  "25006", // read-only: a failover is under way
  "26000", // the prepared statement is gone: a pooler changed the session
  "42P05", // it exists already, for the same reason
  "55P03", // a lock was not free in time
]);

function sqlState(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) && "severity" in (error as object) ? code : undefined;
}

function isPassing(code: string, error: unknown): boolean {
  if (PASSING_CLASSES.has(code.slice(0, 2)) || PASSING_CODES.has(code)) return true;
  return code === "0A000" && error instanceof Error && error.message.includes("cached plan");
}

/** The first failure tells the reason; those behind it only that the transaction had failed. */
function firstFailure(results: readonly PromiseSettledResult<unknown>[]): { readonly reason: unknown } | undefined {
  return results.find((result) => result.status === "rejected");
}

function transactionIdOf(result: PromiseSettledResult<unknown> | undefined): string | undefined {
  if (result?.status !== "fulfilled") return undefined;
  // Two statements in one message give two results.
  const last = Array.isArray(result.value) ? (result.value.at(-1) as pg.QueryResult<{ xid: string }>) : undefined;
  return last?.rows[0]?.xid;
}

async function undo(client: pg.Client, error: unknown): Promise<Outcome> {
  await client.query("rollback").catch(() => undefined);
  const code = sqlState(error);
  if (code === undefined || isPassing(code, error)) return { kind: "passing", error };
  return { kind: "refused", error };
}

async function commit(
  client: pg.Client,
  transactionId: string | undefined,
  reserved: ReservedEvents | undefined,
): Promise<Outcome> {
  try {
    const { command } = await client.query("commit");
    if (command === "COMMIT") return { kind: "stored", reserved };
    reserved?.rolledBack();
    return { kind: "passing", error: new Error(`the transaction ended with ${command}`) };
  } catch (error) {
    const code = sqlState(error);
    // A stopping server may have decided already when it breaks the session off.
    if (code === undefined || code.startsWith("57") || code.startsWith("08")) {
      return { kind: "undecided", error, reserved, transactionId };
    }
    reserved?.rolledBack();
    return isPassing(code, error) ? { kind: "passing", error } : { kind: "refused", error };
  }
}

/**
 * Stores a group in one transaction. All statements are sent without waiting for answers; a COMMIT that has to
 * wait for the ids of events follows as a second flight. COMMIT after a failed statement is a rollback, so it may
 * travel with the statements; and statements fail where BEGIN has failed.
 */
export async function storeGroup(client: pg.Client, group: GroupContents, sink: EventSink): Promise<Outcome> {
  const writes = planWrites(group.rows);
  const hasEvents = group.events.length > 0;
  const { stream } = client.connection;
  const flight: Promise<unknown>[] = [];
  let decided: Promise<Outcome> | undefined;
  // One write to the socket for all: small groups cost little else.
  stream.cork();
  try {
    // Only events are asked about by the number of their transaction.
    flight.push(client.query(hasEvents ? `${BEGIN_GROUP}; select pg_current_xact_id()::text as xid` : BEGIN_GROUP));
    for (const { name, text, values } of writes) flight.push(client.query({ name, text, values: [...values] }));
    if (hasEvents) flight.push(client.query<{ id: string }>(sink.insert(group.events)));
    else decided = commit(client, undefined, undefined);
  } finally {
    stream.uncork();
  }
  if (decided !== undefined) {
    const failure = firstFailure(await Promise.allSettled(flight));
    const outcome = await decided;
    // COMMIT succeeds where BEGIN failed, though no statement did.
    if (failure === undefined || outcome.kind === "undecided") return outcome;
    return await undo(client, failure.reason);
  }
  const results = await Promise.allSettled(flight);
  const failure = firstFailure(results);
  if (failure !== undefined) return await undo(client, failure.reason);
  const inserted = results.at(-1);
  const { rows } = (inserted as PromiseFulfilledResult<pg.QueryResult<EventInsertRow & object>>).value;
  return await commit(client, transactionIdOf(results[0]), sink.reserve(group.events, rows));
}

/** What became of a transaction whose COMMIT was not confirmed. */
export type Fate = "committed" | "aborted" | "in progress";

/**
 * Asks the server what became of a transaction. It may have crashed meanwhile, have lost the transaction, and have given
 * its number to another one that was committed: so that a transaction was committed is believed only of one whose
 * events are in the table.
 */
export async function transactionFate(client: pg.Client, transactionId: string, events: ReservedEvents): Promise<Fate> {
  const fate = await statusOf(client, transactionId);
  if (fate === "in progress" || fate === "aborted") return fate;
  const { text, values } = events.storedBy(transactionId);
  const { rows } = await client.query<{ stored: boolean }>(text, values);
  return rows[0]?.stored === true ? "committed" : "aborted";
}

/** Undefined when the server does not know, as after a crash or a failover. */
async function statusOf(client: pg.Client, transactionId: string): Promise<Fate | undefined> {
  try {
    const { rows } = await client.query<{ fate: Fate | null }>("select pg_xact_status($1::text::xid8) as fate", [
      transactionId,
    ]);
    return rows[0]?.fate ?? undefined;
  } catch (error) {
    // A number that was not given yet.
    if (sqlState(error) === "22023") return undefined;
    throw error;
  }
}
