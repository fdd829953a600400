import type { Clock } from "../clock.ts";
import type { Settings } from "../configuration/settings.ts";
import type { Driver } from "../driver.ts";
import type { Session } from "../transactions/session.ts";

/** What status reports need from their station. */
export interface StatusHost {
  readonly clock: Clock;
  readonly settings: Readonly<Settings>;
  readonly sessions: readonly Session[];
  /** Connected and accepted. */
  readonly mayInitiate: boolean;
}

interface Reported {
  /** The status now. */
  last: string;
  /** The status that the CSMS has acknowledged; undefined when it has to be told in any case. */
  told: string | undefined;
}

/** Tells the CSMS the status of every connector after a boot, and what changes from then on (B01.FR.05, B04, G01). */
export class StatusReports {
  readonly #host: StatusHost;
  readonly #driver: Driver;
  readonly #reported = new Map<number, Reported>();
  #offlineSince: number | undefined;

  constructor(host: StatusHost, driver: Driver) {
    this.#host = host;
    this.#driver = driver;
    for (const session of host.sessions) {
      this.#reported.set(session.evse.id, { last: driver.statusOf(session), told: undefined });
    }
  }

  /** Something that the status depends on may have changed. */
  changed(session: Session): void {
    const reported = this.#reported.get(session.evse.id);
    const status = this.#driver.statusOf(session);
    if (reported === undefined || status === reported.last) return;
    reported.last = status;
    if (this.#host.mayInitiate) this.#tell(session);
  }

  /** The station was accepted after a boot: the CSMS has to be told everything. */
  forget(): void {
    for (const reported of this.#reported.values()) reported.told = undefined;
  }

  offline(): void {
    this.#offlineSince = this.#host.clock.now();
  }

  /** The CSMS can be told: after a long absence everything, after a short one what changed (B04). */
  resume(): void {
    const offlineMs = this.#offlineSince === undefined ? 0 : this.#host.clock.now() - this.#offlineSince;
    this.#offlineSince = undefined;
    const tellAll = offlineMs > this.#host.settings.offlineThresholdS * 1000;
    const untold = [...this.#reported.values()].some((reported) => reported.told === undefined);
    if (untold || tellAll) this.#driver.sendStationStatus().catch(() => {});
    for (const session of this.#host.sessions) {
      const reported = this.#reported.get(session.evse.id);
      if (tellAll || reported?.told !== reported?.last) this.#tell(session);
    }
  }

  #tell(session: Session): void {
    const reported = this.#reported.get(session.evse.id);
    if (reported === undefined) return;
    const status = reported.last;
    this.#driver.sendStatus(session).then(
      () => {
        reported.told = status;
      },
      () => {
        // Told again after the next reconnect.
        reported.told = undefined;
      },
    );
  }
}
