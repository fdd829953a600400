import type { Ocpp21 } from "@polyphase/ocpp";
import { NotConnectedError } from "@polyphase/ocpp";
import type { Clock, Timer } from "../clock.ts";
import type { Settings } from "../configuration/settings.ts";

/** Why a station boots. */
export type BootReason = Ocpp21.BootReasonEnumType;

/** What a BootNotification was answered with. */
export interface BootAnswer {
  readonly status: "Accepted" | "Pending" | "Rejected";
  /** The CSMS's time, milliseconds since 1970; undefined when it told none. */
  readonly currentTime: number | undefined;
  /** Heartbeat interval, or the wait until the next BootNotification; 0 leaves it to the station. */
  readonly intervalS: number;
}

/** Reads the response to a BootNotification, which is the same in both families. */
export function bootAnswer(response: {
  readonly status: BootAnswer["status"];
  readonly currentTime: string;
  readonly interval: number;
}): BootAnswer {
  const currentTime = Date.parse(response.currentTime);
  return {
    status: response.status,
    intervalS: response.interval,
    currentTime: Number.isNaN(currentTime) ? undefined : currentTime,
  };
}

/** Where a station stands with its CSMS; `Unknown` until the first answer after a boot. */
export type RegistrationStatus = "Unknown" | "Accepted" | "Pending" | "Rejected";

/** What a registration needs from its station. */
export interface RegistrationHost {
  readonly clock: Clock;
  readonly settings: Readonly<Settings>;
  readonly isOnline: boolean;
  boot(reason: BootReason): Promise<BootAnswer>;
  /** Resolves with the CSMS's time. */
  heartbeat(): Promise<number>;
  /** The CSMS told its time. */
  synchronize(time: number): void;
  changeHeartbeatInterval(intervalS: number): void;
  /** The status is another one than before. */
  registrationChanged(status: RegistrationStatus): void;
}

/** A wait of our own when the CSMS names none (B02.FR.07). */
const OWN_WAIT_S = 60;

const DAY_MS = 86_400_000;

/** BootNotification until it is accepted, then heartbeats (B01 to B03, G02; OCPP 1.6 §4.2, §4.6). */
export class Registration {
  readonly #host: RegistrationHost;
  #status: RegistrationStatus = "Unknown";
  #reason: BootReason = "PowerUp";
  #timer: Timer | undefined;
  #booting = false;
  #lastSentAt = 0;
  #lastHeartbeatAt = 0;
  /** The CSMS asked not to be called before this moment of simulated time (B02.FR.04, B03.FR.02). */
  #notBefore = 0;

  constructor(host: RegistrationHost) {
    this.#host = host;
  }

  get status(): RegistrationStatus {
    return this.#status;
  }

  /** The station starts anew: it must be registered again as soon as the CSMS can be reached. */
  restart(reason: BootReason): void {
    this.#stopTimer();
    this.#reason = reason;
    this.#notBefore = 0;
    this.#change("Unknown");
  }

  /** The CSMS can be reached: registers, or goes on when that was done on an earlier connection. */
  online(): void {
    const waitMs = this.#notBefore - this.#host.clock.now();
    if (this.#status === "Accepted") this.#armHeartbeat();
    else if (waitMs > 0) this.#bootIn(waitMs / 1000);
    else void this.boot();
  }

  /** The CSMS cannot be reached; over OCPP-S heartbeats go on, for nothing else tells when it can be. */
  offline(): void {
    if (this.#status !== "Accepted") this.#stopTimer();
  }

  stop(): void {
    this.#stopTimer();
  }

  /** Sends a BootNotification now: when it is due, or when TriggerMessage asks for it. */
  async boot(reason: BootReason = this.#reason): Promise<void> {
    if (this.#booting) return;
    this.#booting = true;
    this.#stopTimer();
    try {
      const answer = await this.#host.boot(reason);
      this.#booting = false;
      this.#answered(answer);
    } catch (error) {
      this.#booting = false;
      // Without a connection the next one starts over; OCPP-S has none to wait for, so it tries again by time.
      if (error instanceof NotConnectedError && !this.#host.isOnline) this.#bootIn(OWN_WAIT_S / 2);
      else this.#bootIn(OWN_WAIT_S);
    }
  }

  #answered(answer: BootAnswer): void {
    if (answer.currentTime !== undefined) this.#host.synchronize(answer.currentTime);
    if (answer.status === "Accepted") {
      this.#lastHeartbeatAt = this.#host.clock.now();
      if (answer.intervalS > 0) this.#host.changeHeartbeatInterval(answer.intervalS);
      this.#change("Accepted");
      this.#armHeartbeat();
      return;
    }
    const waitS = answer.intervalS > 0 ? answer.intervalS : OWN_WAIT_S;
    this.#notBefore = this.#host.clock.now() + waitS * 1000;
    this.#change(answer.status);
    this.#bootIn(waitS);
  }

  /** A message was sent: the next heartbeat can wait (G02.FR.05). */
  messageSent(): void {
    this.#lastSentAt = this.#host.clock.now();
  }

  /** The heartbeat interval was configured anew. */
  intervalChanged(): void {
    if (this.#status === "Accepted") this.#armHeartbeat();
  }

  /** Sends a heartbeat now. Never throws. */
  async heartbeat(): Promise<void> {
    this.#lastHeartbeatAt = this.#host.clock.now();
    try {
      this.#host.synchronize(await this.#host.heartbeat());
    } catch {
      // The next one will tell.
    }
  }

  #armHeartbeat(): void {
    this.#stopTimer();
    const intervalMs = this.#host.settings.heartbeatIntervalS * 1000;
    if (intervalMs <= 0) return;
    const now = this.#host.clock.now();
    const quietMs = this.#lastSentAt === 0 ? 0 : now - this.#lastSentAt;
    this.#timer = this.#host.clock.setTimer(Math.max(1, intervalMs - Math.min(quietMs, intervalMs)), () => {
      this.#timer = undefined;
      void this.#beat(intervalMs);
    });
  }

  async #beat(intervalMs: number): Promise<void> {
    const now = this.#host.clock.now();
    // Once a day one goes out in any case, to set the clock (G02.FR.07).
    if (now - this.#lastSentAt >= intervalMs || now - this.#lastHeartbeatAt >= DAY_MS) await this.heartbeat();
    if (this.#status === "Accepted" && this.#timer === undefined) this.#armHeartbeat();
  }

  #bootIn(waitS: number): void {
    this.#stopTimer();
    this.#timer = this.#host.clock.setTimer(waitS * 1000, () => {
      this.#timer = undefined;
      void this.boot();
    });
  }

  #stopTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #change(status: RegistrationStatus): void {
    const changed = this.#status !== status;
    this.#status = status;
    if (changed) this.#host.registrationChanged(status);
  }
}
