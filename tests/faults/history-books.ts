import fc from "fast-check";
import { expect } from "vitest";
import { transactionsOf } from "../system/raw-station.ts";
import type { Item } from "../system/running-csms.ts";
import type { RestartableCsms } from "./restartable-csms.ts";

/** A station and what the books must say of it, transaction by transaction. */
export interface WantedBooks<Account extends Named> {
  readonly stationId: string;
  readonly wanted: readonly Account[];
}

interface Named {
  readonly transactionId?: unknown;
}

/** Histories that are tried at most to find a smaller one that fails too: each costs a second or two. */
const MOST_SHRUNK = 60;

/** Makes what an arbitrary makes, and in an affordable time a smaller one of what fails. */
export function shrunkAffordably<Value>(arbitrary: fc.Arbitrary<Value>): fc.Arbitrary<Value> {
  return fc.limitShrink(arbitrary, MOST_SHRUNK);
}

/** Every transaction of a station, with its timeline, as the API shows it. */
async function booksOf(running: RestartableCsms, stationId: string): Promise<readonly Item[]> {
  const listed = await transactionsOf(running, stationId);
  return await Promise.all(
    listed.map(async ({ id }) => (await running.api("GET", `/transactions/${String(id)}`)).body),
  );
}

const byId = (a: Named, b: Named) => (String(a.transactionId) < String(b.transactionId) ? -1 : 1);

/** Compares the books with the reference accounting, as they stand in memory and after a restart. */
export async function expectBooks<Account extends Named>(
  running: RestartableCsms,
  all: readonly WantedBooks<Account>[],
  accountIn: (transaction: Item) => unknown,
): Promise<void> {
  for (const check of ["as it stands in memory", "after a restart"]) {
    if (check === "after a restart") await running.restart();
    for (const { stationId, wanted } of all) {
      const kept = (await booksOf(running, stationId)).toSorted(byId).map(accountIn);
      expect(kept, check).toEqual(wanted.toSorted(byId));
    }
  }
}
