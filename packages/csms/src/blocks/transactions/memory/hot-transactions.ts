import { isSuperseded } from "../ledger/rules.ts";
import type { Transaction } from "../transaction/transaction.ts";

/** Transactions that are over and still kept in memory, for late events and repeats. */
const KEPT_AFTER_END = 5_000;

/** Where a transaction is found. */
interface Places {
  readonly id: string | undefined;
  readonly origin: string | undefined;
  evse: string | undefined;
  token: string | undefined;
  open: boolean;
}

const join = (stationId: string, part: string | number) => `${stationId}\u0000${part}`;

/**
 * The transactions in memory: all that are open, and the last ones that are over. The database is their truth; what
 * is not found here may be stored there.
 */
export class HotTransactions {
  readonly #places = new Map<Transaction, Places>();
  readonly #byId = new Map<string, Transaction>();
  readonly #byOrigin = new Map<string, Transaction>();
  readonly #openByEvse = new Map<string, Set<Transaction>>();
  readonly #openByStation = new Map<string, Set<Transaction>>();
  readonly #openByToken = new Map<string, Set<Transaction>>();
  readonly #lastOver = new Map<string, Transaction>();
  /** In the order in which they were over. */
  readonly #over = new Set<Transaction>();
  readonly #keptAfterEnd: number;

  constructor(keptAfterEnd = KEPT_AFTER_END) {
    this.#keptAfterEnd = keptAfterEnd;
  }

  /** The transaction for which a station last used an id. */
  get(stationId: string, transactionId: string): Transaction | undefined {
    return this.#byId.get(join(stationId, transactionId));
  }

  /** The transaction that a message made. */
  byOrigin(stationId: string, originKey: string): Transaction | undefined {
    return this.#byOrigin.get(join(stationId, originKey));
  }

  has(transaction: Transaction): boolean {
    return this.#places.has(transaction);
  }

  /** Open transactions on an EVSE: more than one only until the earlier is abandoned. */
  openOn(stationId: string, evseId: number): Iterable<Transaction> {
    return this.#openByEvse.get(join(stationId, evseId)) ?? [];
  }

  /** The one that runs on an EVSE. */
  runningOn(stationId: string, evseId: number): Transaction | undefined {
    let running: Transaction | undefined;
    for (const transaction of this.openOn(stationId, evseId)) {
      if (running === undefined || isSuperseded(running, transaction)) running = transaction;
    }
    return running;
  }

  /** The one that was last over on an EVSE, while it is remembered. */
  lastOverOn(stationId: string, evseId: number): Transaction | undefined {
    return this.#lastOver.get(join(stationId, evseId));
  }

  openOf(stationId: string): Iterable<Transaction> {
    return this.#openByStation.get(stationId) ?? [];
  }

  /** Open transactions for which a token was accepted; the token in lower case. */
  openWithToken(idToken: string): Iterable<Transaction> {
    return this.#openByToken.get(idToken) ?? [];
  }

  open(): Iterable<Transaction> {
    const all: Transaction[] = [];
    for (const [transaction, places] of this.#places) if (places.open) all.push(transaction);
    return all;
  }

  /** Takes a transaction into memory. `named`: whether the station's id leads to it; ids such as 0 and -1 do not. */
  put(transaction: Transaction, named: boolean): void {
    const { stationId, transactionId, originKey } = transaction.identity;
    const places: Places = {
      id: named ? join(stationId, transactionId) : undefined,
      origin: originKey === undefined ? undefined : join(stationId, originKey),
      evse: undefined,
      token: undefined,
      open: false,
    };
    this.#places.set(transaction, places);
    const known = places.id === undefined ? undefined : this.#byId.get(places.id);
    const isLatest = known === undefined || known.identity.generation <= transaction.identity.generation;
    if (places.id !== undefined && isLatest) this.#byId.set(places.id, transaction);
    if (places.origin !== undefined) this.#byOrigin.set(places.origin, transaction);
    this.refresh(transaction);
  }

  /** Finds a transaction by what it is now; call it after its state has changed. */
  refresh(transaction: Transaction): void {
    const places = this.#places.get(transaction);
    if (places === undefined) return;
    const { stationId } = transaction.identity;
    const open = transaction.status === "Open";
    const { evseId } = transaction;
    const token = transaction.state.token?.value;
    const evse = open && evseId !== undefined ? join(stationId, evseId) : undefined;
    const counted = open && token?.status === "Accepted" && token.idToken !== "";
    move(this.#openByEvse, transaction, places.evse, evse);
    move(this.#openByToken, transaction, places.token, counted ? token.idToken.toLowerCase() : undefined);
    move(this.#openByStation, transaction, places.open ? stationId : undefined, open ? stationId : undefined);
    places.evse = evse;
    places.token = counted ? token.idToken.toLowerCase() : undefined;
    places.open = open;
    if (open) this.#over.delete(transaction);
    else this.#keepAfterEnd(transaction);
  }

  /** Forgets a transaction. */
  evict(transaction: Transaction): void {
    const places = this.#places.get(transaction);
    if (places === undefined) return;
    this.#places.delete(transaction);
    this.#over.delete(transaction);
    const { stationId } = transaction.identity;
    move(this.#openByEvse, transaction, places.evse, undefined);
    move(this.#openByToken, transaction, places.token, undefined);
    move(this.#openByStation, transaction, places.open ? stationId : undefined, undefined);
    deleteIfSame(this.#byId, places.id, transaction);
    deleteIfSame(this.#byOrigin, places.origin, transaction);
    if (transaction.evseId !== undefined) {
      deleteIfSame(this.#lastOver, join(stationId, transaction.evseId), transaction);
    }
  }

  clear(): void {
    for (const transaction of [...this.#places.keys()]) this.evict(transaction);
  }

  #keepAfterEnd(transaction: Transaction): void {
    const { stationId } = transaction.identity;
    if (transaction.evseId !== undefined) this.#lastOver.set(join(stationId, transaction.evseId), transaction);
    this.#over.delete(transaction);
    this.#over.add(transaction);
    for (const oldest of this.#over) {
      if (this.#over.size <= this.#keptAfterEnd) return;
      // One that is being written stays until its next turn.
      if (oldest.busy === undefined) this.evict(oldest);
    }
  }
}

function move(
  index: Map<string, Set<Transaction>>,
  transaction: Transaction,
  from: string | undefined,
  to: string | undefined,
): void {
  if (from === to) return;
  if (from !== undefined) {
    const set = index.get(from);
    set?.delete(transaction);
    if (set?.size === 0) index.delete(from);
  }
  if (to === undefined) return;
  const set = index.get(to);
  if (set === undefined) index.set(to, new Set([transaction]));
  else set.add(transaction);
}

function deleteIfSame(map: Map<string, Transaction>, key: string | undefined, transaction: Transaction): void {
  if (key !== undefined && map.get(key) === transaction) map.delete(key);
}
