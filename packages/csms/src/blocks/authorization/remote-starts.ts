import { keyOf } from "./id-token.ts";

/** A start that we asked a station for. */
export interface RemoteStart {
  readonly stationId: string;
  readonly remoteStartId: number;
  readonly idToken: string;
  readonly evseId?: number | undefined;
  readonly requestedAt: Date;
}

/** A token of a remote start is good at its station this long, also when the transaction is told of late. */
export const REMOTE_START_KEPT_MS = 7 * 86_400_000;
/** A start of family 1 is taken for the answer to a remote start this long; it does not name it. */
const ANSWERED_WITHIN_MS = 3_600_000;

/** The remote starts of the last days, by station. */
export class RemoteStarts {
  readonly #byStation = new Map<string, RemoteStart[]>();
  readonly #answered = new WeakSet<RemoteStart>();

  add(start: RemoteStart): void {
    const fresh = this.#fresh(start.stationId, start.requestedAt).filter(
      ({ remoteStartId }) => remoteStartId !== start.remoteStartId,
    );
    this.#byStation.set(start.stationId, [...fresh, start]);
  }

  remove(stationId: string, remoteStartId: number): void {
    const left = this.#byStation.get(stationId)?.filter((start) => start.remoteStartId !== remoteStartId) ?? [];
    if (left.length === 0) this.#byStation.delete(stationId);
    else this.#byStation.set(stationId, left);
  }

  clear(): void {
    this.#byStation.clear();
  }

  /** Whether a station was asked to start with a token. */
  isExpected(stationId: string, idToken: string, now: Date): boolean {
    return this.#fresh(stationId, now).some((start) => keyOf(start.idToken) === keyOf(idToken));
  }

  /** The latest remote start that a transaction can be the answer to. */
  find(stationId: string, idToken: string, evseId: number, now: Date): RemoteStart | undefined {
    return this.#fresh(stationId, now).findLast(
      (start) =>
        keyOf(start.idToken) === keyOf(idToken) &&
        (start.evseId === undefined || start.evseId === evseId) &&
        now.getTime() - start.requestedAt.getTime() <= ANSWERED_WITHIN_MS &&
        !this.#answered.has(start),
    );
  }

  /** A transaction was the answer; the next one with the token is another matter. */
  markAnswered(start: RemoteStart): void {
    this.#answered.add(start);
  }

  #fresh(stationId: string, now: Date): readonly RemoteStart[] {
    const oldestMs = now.getTime() - REMOTE_START_KEPT_MS;
    return this.#byStation.get(stationId)?.filter((start) => start.requestedAt.getTime() > oldestMs) ?? [];
  }
}
