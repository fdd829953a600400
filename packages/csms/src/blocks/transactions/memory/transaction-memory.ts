import type { TransactionStore } from "../store.ts";
import type { Transaction, TransactionIdentity } from "../transaction/transaction.ts";
import { HotTransactions } from "./hot-transactions.ts";

/** Finds transactions in memory, and reads into memory those that are only stored. */
export class TransactionMemory {
  readonly hot: HotTransactions;
  readonly #store: TransactionStore;
  readonly #loading = new Map<string, Promise<Transaction | undefined>>();

  /** `keptAfterEnd`: how many that are over are kept; see {@link HotTransactions}. */
  constructor(store: TransactionStore, keptAfterEnd?: number) {
    this.hot = new HotTransactions(keptAfterEnd);
    this.#store = store;
  }

  /** Takes a new transaction into memory. */
  put(transaction: Transaction): void {
    this.hot.put(transaction, isNamed(transaction.identity));
  }

  /** Whether an event may be taken now: what was found before a wait may be busy or forgotten after it. */
  isFree(transaction: Transaction): boolean {
    return transaction.busy === undefined && this.hot.has(transaction);
  }

  /** The transaction for which a station last used an id, from memory or the database. */
  async find(stationId: string, transactionId: string): Promise<Transaction | undefined> {
    return this.#await(
      () => this.hot.get(stationId, transactionId),
      `${stationId}\u0000${transactionId}`,
      async () => {
        const latest = await this.#store.findLatest(stationId, transactionId);
        return latest !== undefined && isNamed(latest.identity) ? latest : undefined;
      },
    );
  }

  async findByOrigin(stationId: string, originKey: string): Promise<Transaction | undefined> {
    return this.#await(
      () => this.hot.byOrigin(stationId, originKey),
      `${stationId}\u0001${originKey}`,
      () => this.#store.findByOrigin(stationId, originKey),
    );
  }

  async #await(
    remembered: () => Transaction | undefined,
    key: string,
    read: () => Promise<Transaction | undefined>,
  ): Promise<Transaction | undefined> {
    for (;;) {
      const hot = remembered();
      if (hot !== undefined && hot.busy === undefined) return hot;
      if (hot !== undefined) {
        await hot.busy;
        continue;
      }
      const reading = this.#loading.get(key) ?? this.#read(key, read);
      const found = await reading;
      if (found === undefined && remembered() === undefined) return undefined;
    }
  }

  #read(key: string, read: () => Promise<Transaction | undefined>): Promise<Transaction | undefined> {
    const reading = read()
      .then((found) => (found === undefined ? undefined : this.keep(found)))
      .finally(() => this.#loading.delete(key));
    this.#loading.set(key, reading);
    return reading;
  }

  /** Takes what was read into memory, unless memory knows it already. */
  keep(found: Transaction): Transaction {
    const { stationId, transactionId, originKey } = found.identity;
    const known =
      (originKey === undefined ? undefined : this.hot.byOrigin(stationId, originKey)) ??
      this.hot.get(stationId, transactionId);
    if (known?.identity.id === found.identity.id) return known;
    this.hot.put(found, isNamed(found.identity));
    return found;
  }
}

/** Whether its station's id leads to a transaction: what stops of family 1 call 0 or -1 has no name. */
function isNamed({ transactionId, originKey }: Pick<TransactionIdentity, "transactionId" | "originKey">): boolean {
  return originKey === undefined || !isPlaceholder(transactionId);
}

/** Whether an id is one that stops of family 1 use for whatever transaction they mean. */
export function isPlaceholder(transactionId: string): boolean {
  return /^(?:0|-\d+)$/.test(transactionId);
}
