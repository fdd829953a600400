import type { GroupCommit, WriteUnit } from "../database/write-unit.ts";
import type { DomainEvent } from "../events/domain-event.ts";
import type { KnownStation, KnownStations, StationCredentials } from "./known-stations.ts";

/** Writes that are remembered instead of stored. */
export class RecordedWrites implements GroupCommit {
  readonly events: DomainEvent[] = [];
  readonly rows: object[] = [];

  unit(): WriteUnit {
    const { events, rows } = this;
    const waiting: Array<() => void> = [];
    return {
      add(_statement, row) {
        waiting.push(() => rows.push(row));
        return this;
      },
      publish(event) {
        waiting.push(() => events.push(event));
        return this;
      },
      async commit() {
        for (const write of waiting) write();
      },
    };
  }
}

/** A directory of stations in memory. */
export class MemoryStations implements KnownStations {
  readonly records = new Map<string, KnownStation>();
  policy: "reject" | "pending" | "accept" = "accept";

  put(stationId: string, facts: Partial<KnownStation> = {}): void {
    const station: KnownStation = { stationId, registrationStatus: "Accepted", securityProfile: 0, ...facts };
    this.records.set(stationId, station);
  }

  find(stationId: string): KnownStation | undefined {
    return this.records.get(stationId);
  }

  handleUnknown(stationId: string): KnownStation | undefined {
    if (this.policy === "reject") return undefined;
    this.put(stationId, { registrationStatus: this.policy === "accept" ? "Accepted" : "Pending" });
    return this.find(stationId);
  }

  async setSecurityProfile(stationId: string, securityProfile: 0 | 1 | 2 | 3): Promise<void> {
    this.put(stationId, { ...this.find(stationId), securityProfile });
  }
}

/** Passwords in the clear, for tests. */
export class MemoryCredentials implements StationCredentials {
  readonly passwords = new Map<string, Buffer>();
  verifications = 0;
  /** Whether passwords that were verified are known afterwards. */
  remembers = false;
  readonly #verified = new Map<string, Buffer>();

  isVerified(stationId: string, password: Buffer): true | undefined {
    return this.#verified.get(stationId)?.equals(password) === true ? true : undefined;
  }

  async verifyPassword(stationId: string, password: Buffer): Promise<boolean> {
    this.verifications += 1;
    const isRight = this.passwords.get(stationId)?.equals(password) ?? false;
    if (isRight && this.remembers) this.#verified.set(stationId, password);
    return isRight;
  }

  certificateCommonName(): string | undefined {
    return undefined;
  }
}
