import { NotConnectedError } from "@polyphase/ocpp";
import { Authorization } from "./authorization/authorization.ts";
import { AuthorizationCache } from "./authorization/authorization-cache.ts";
import { type IdToken, isSameToken, type TokenStanding } from "./authorization/id-token.ts";
import { LocalList } from "./authorization/local-list.ts";
import { Availability } from "./availability/availability.ts";
import type { Clock, Timer } from "./clock.ts";
import { ConfigurationStore } from "./configuration/configuration-store.ts";
import type { Settings } from "./configuration/settings.ts";
import type { Driver } from "./driver.ts";
import type { Supply } from "./evse/electrical.ts";
import { Evse } from "./evse/evse.ts";
import { AlignedMetering } from "./metering/aligned-metering.ts";
import { type BootReason, Registration, type RegistrationStatus } from "./provisioning/registration.ts";
import type { Random } from "./random.ts";
import { type Reservation, Reservations } from "./reservation/reservations.ts";
import type { ChargingProfile } from "./smart-charging/charging-profile.ts";
import { ChargingProfiles } from "./smart-charging/charging-profiles.ts";
import { Journal } from "./storage/journal.ts";
import type { JournalStorage } from "./storage/journal-storage.ts";
import { OfflineQueue, type TransactionMessage } from "./transactions/offline-queue.ts";
import { Session } from "./transactions/session.ts";
import type { Transaction, TransactionEvent } from "./transactions/transaction-event.ts";
import type { BackOff, Link } from "./transport/link.ts";

/** What a station is like, apart from how it is reached. */
export interface ChargingStationOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly storage: JournalStorage;
  readonly supplies: readonly Supply[];
  readonly settings: Partial<Settings>;
  /** Set the clock by the CSMS's time. */
  readonly synchronizeClock: boolean;
  readonly rebootDurationMs: number;
  readonly ledgerSize: number;
  /** Real milliseconds to wait for a response; MessageTimeout when undefined. */
  readonly callTimeoutMs: number | undefined;
  createTransactionId(): string;
}

/** What a station tells those who run it. */
export interface StationListener {
  registrationChanged(status: RegistrationStatus): void;
  transactionEvent(event: TransactionEvent): void;
  messageDiscarded(message: TransactionMessage, error: unknown): void;
  rebooted(reason: BootReason): void;
  /** The way to the CSMS could not be opened again after a reboot. */
  connectFailed(error: Error): void;
}

/** A password that the CSMS gave. */
export type StoredPassword = { readonly text: string } | { readonly hex: string };

function passwordOf(password: StoredPassword): string | Buffer {
  return "text" in password ? password.text : Buffer.from(password.hex, "hex");
}

/** What came of presenting a token. */
export type TokenOutcome = "Authorized" | "Stopped" | "Refused";

/** A request of the CSMS to start charging. */
export interface RemoteStart {
  readonly evseId?: number;
  readonly token: IdToken;
  readonly groupToken?: IdToken;
  readonly remoteStartId: number;
  readonly profile?: ChargingProfile;
}

/**
 * The engine that all versions share: hardware, authorization, transactions, registration and the queue, in the words
 * of OCPP 2.1. A {@link Driver} speaks to the CSMS, a {@link Link} carries what it says.
 */
export class ChargingStation {
  readonly clock: Clock;
  readonly random: Random;
  readonly journal: Journal;
  readonly configuration: ConfigurationStore;
  readonly sessions: readonly Session[];
  readonly registration: Registration;
  readonly authorization: Authorization;
  readonly reservations: Reservations;
  readonly profiles: ChargingProfiles;
  readonly availability: Availability;
  readonly queue: OfflineQueue;
  readonly #options: ChargingStationOptions;
  readonly #listener: StationListener;
  readonly #metering: AlignedMetering;
  readonly #reported = new Map<number, { last: string; told: string | undefined }>();
  readonly #driver: Driver;
  readonly #link: Link;
  #clockOffsetMs = 0;
  #offlineSince: number | undefined;
  #resetWhenIdle = false;
  #rebootTimer: Timer | undefined;
  #running = false;
  #outstanding = 0;
  readonly #quietWaiters: (() => void)[] = [];

  constructor(
    options: ChargingStationOptions,
    listener: StationListener,
    makeDriver: (station: ChargingStation) => Driver,
    makeLink: (station: ChargingStation, driver: Driver) => Link,
  ) {
    this.#options = options;
    this.#listener = listener;
    this.clock = options.clock;
    this.random = options.random;
    this.journal = new Journal(options.storage);
    this.configuration = new ConfigurationStore(this.journal, options.settings, (name) => this.#settingChanged(name));
    this.sessions = options.supplies.map((supply, index) => this.#makeSession(index + 1, supply));
    this.availability = new Availability(this.journal, this.sessions, (session) => this.#availabilityChanged(session));
    this.registration = new Registration(this.#registrationHost());
    this.authorization = new Authorization({
      list: new LocalList(this.journal),
      cache: new AuthorizationCache(this.journal),
      configuration: this.configuration,
      clock: options.clock,
      isOnline: () => this.mayInitiate,
      ask: (token) => this.#driver.authorize(token),
    });
    this.reservations = new Reservations(this.journal, {
      clock: options.clock,
      stationTime: () => this.stationTime(),
      session: (evseId) => this.session(evseId),
      statusChanged: (session) => this.statusChanged(session),
      ended: (reservation, how) => this.#reservationEnded(reservation, how),
    });
    this.profiles = new ChargingProfiles(this.journal, this);
    this.#metering = new AlignedMetering(this);
    this.#driver = makeDriver(this);
    this.queue = new OfflineQueue(this.journal, this.#queueHost(), options.ledgerSize);
    this.#link = makeLink(this, this.#driver);
    const password = this.journal.get("password") as StoredPassword | undefined;
    if (password !== undefined) this.#link.updatePassword(passwordOf(password));
    for (const session of this.sessions) {
      this.#reported.set(session.evse.id, { last: this.#driver.statusOf(session), told: undefined });
    }
  }

  #makeSession(id: number, supply: Supply): Session {
    const { clock, random } = this.#options;
    const remembered = this.journal.get(`evse/${id}`) as { readonly registerWh: number } | undefined;
    // A meter has run before the station was delivered.
    const registerWh = remembered?.registerWh ?? random.fork(`register ${id}`).integer(1_000, 900_000);
    const evse = new Evse({ id, supply, clock, random: random.fork(`evse ${id}`), registerWh });
    return new Session(evse, this);
  }

  #registrationHost(): ConstructorParameters<typeof Registration>[0] {
    const station = this;
    return {
      clock: this.clock,
      get settings() {
        return station.settings;
      },
      get isOnline() {
        return station.isOnline;
      },
      boot: (reason) => this.#driver.boot(reason),
      heartbeat: () => this.#driver.heartbeat(),
      synchronize: (time) => this.#synchronize(time),
      changeHeartbeatInterval: (intervalS) => this.configuration.change("heartbeatIntervalS", intervalS),
      registrationChanged: (status) => this.#registrationChanged(status),
    };
  }

  #queueHost(): ConstructorParameters<typeof OfflineQueue>[1] {
    const station = this;
    return {
      clock: this.clock,
      get settings() {
        return station.settings;
      },
      mayDeliver: () => this.mayInitiate,
      deliver: (message, sent) => this.#driver.deliver(message, sent),
      acknowledged: (message, response) => this.#driver.acknowledged(message, response),
      discarded: (message, error) => {
        this.#driver.discarded(message);
        this.#listener.messageDiscarded(message, error);
      },
    };
  }

  get settings(): Readonly<Settings> {
    return this.configuration.settings;
  }

  get isOnline(): boolean {
    return this.#link.isOnline;
  }

  get isRunning(): boolean {
    return this.#running;
  }

  get operative(): boolean {
    return this.availability.stationOperative;
  }

  /** Waits between attempts to connect, in real time (RetryBackOff…). */
  get backOff(): BackOff {
    const { retryBackOffWaitMinimumS, retryBackOffRandomRangeS, retryBackOffRepeatTimes } = this.settings;
    return {
      waitMinimumMs: retryBackOffWaitMinimumS * 1000,
      randomRangeMs: retryBackOffRandomRangeS * 1000,
      repeatTimes: retryBackOffRepeatTimes,
    };
  }

  /** Whether the station may send messages on its own account: connected and accepted. */
  get mayInitiate(): boolean {
    return this.#link.isOnline && this.registration.status === "Accepted";
  }

  /** The station's idea of the time, milliseconds since 1970. */
  stationTime(): number {
    return Math.floor(this.clock.now() + this.#clockOffsetMs);
  }

  createTransactionId(): string {
    return this.#options.createTransactionId();
  }

  session(evseId: number): Session | undefined {
    return this.sessions.find((session) => session.evse.id === evseId);
  }

  /** The session whose transaction has this id. */
  sessionOf(transactionId: string): Session | undefined {
    return this.sessions.find((session) => session.transaction?.id === transactionId);
  }

  powerLimit(session: Session) {
    return this.settings.smartChargingEnabled ? this.profiles.limitOf(session, this.stationTime()) : {};
  }

  // Life ------------------------------------------------------------------------------------------------------------

  /** Switches the station on: what ended with the last power cut is put in the queue, then the CSMS is called. */
  async start(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    this.availability.restore();
    this.reservations.restore();
    for (const key of this.journal.keys("tx/")) {
      const transaction = this.journal.get(key) as Transaction;
      this.session(transaction.evseId)?.endRemembered({ ...transaction }, "PowerLoss");
    }
    this.#metering.start();
    await this.#link.start();
  }

  /** Switches the station off at once, as a lost supply does. */
  async stop(): Promise<void> {
    this.#running = false;
    this.#rebootTimer?.cancel();
    this.registration.stop();
    this.queue.stop();
    this.#driver.halt();
    this.#metering.halt();
    this.profiles.halt();
    this.reservations.halt();
    for (const session of this.sessions) session.halt();
    await this.#link.stop();
    for (const resolve of this.#quietWaiters.splice(0)) resolve();
  }

  /** Cuts the connection and keeps running. */
  async goOffline(): Promise<void> {
    await this.#link.stop();
  }

  async goOnline(): Promise<void> {
    if (this.#running) await this.#link.start();
  }

  /** The CSMS can be reached. */
  online(): void {
    this.registration.online();
    if (this.registration.status === "Accepted") this.#resume();
  }

  /** The CSMS cannot be reached any more. */
  offline(): void {
    this.#offlineSince = this.clock.now();
    this.registration.offline();
    this.queue.suspend();
  }

  /**
   * Restarts the station: transactions end, what can be told is told, and after a while it boots.
   *
   * @param resetKind what the CSMS of family 1 asked for
   */
  async reboot(reason: BootReason, resetKind?: "Hard" | "Soft"): Promise<void> {
    if (!this.#running || this.#rebootTimer !== undefined) return;
    this.#resetWhenIdle = false;
    for (const session of this.sessions) {
      if (session.transaction !== undefined) session.forceEnd("ResetCommand", "ImmediateReset", resetKind);
      else session.endAuthorization("ResetCommand", "ImmediateReset");
    }
    // B12.FR.05: what cannot be delivered in time stays in the queue until after the reboot.
    if (this.mayInitiate) await this.#within(this.settings.messageTimeoutS * 1000, this.queue.drained());
    if (!this.#running || this.#rebootTimer !== undefined) return;
    this.#rebootTimer = this.clock.setTimer(this.#options.rebootDurationMs, () => {
      this.#rebootTimer = undefined;
      this.#listener.rebooted(reason);
      this.#link.start().catch((error) => this.#listener.connectFailed(error));
    });
    this.#driver.halt();
    this.registration.restart(reason);
    await this.#link.stop();
  }

  /** Answers a Reset; the reboot follows the answer. */
  reset(kind: "Immediate" | "OnIdle", resetKind?: "Hard" | "Soft"): "Accepted" | "Scheduled" {
    if (kind === "OnIdle" && this.#isCharging()) {
      this.#resetWhenIdle = true;
      return "Scheduled";
    }
    this.afterAnswer(() => this.reboot("RemoteReset", resetKind));
    return "Accepted";
  }

  /** Answers a Reset of one EVSE: its transaction ends, now or when the driver stops it. */
  resetEvse(session: Session, kind: "Immediate" | "OnIdle"): "Accepted" | "Scheduled" {
    // An EVSE without a transaction has nothing to restart; with one, it is idle when that has ended.
    if (kind === "OnIdle" && session.transaction !== undefined) return "Scheduled";
    this.afterAnswer(() => session.forceEnd("ResetCommand", "ImmediateReset"));
    return "Accepted";
  }

  /** Takes a new password and connects with it (A01); text, or the bytes of an AuthorizationKey in hexadecimal. */
  changePassword(password: StoredPassword): void {
    this.journal.write({ set: { password } });
    this.#link.updatePassword(passwordOf(password));
    this.afterAnswer(async () => {
      await this.#link.stop();
      if (this.#running) await this.#link.start();
    });
  }

  #isCharging(): boolean {
    return this.sessions.some((session) => session.transaction !== undefined);
  }

  async #within(limitMs: number, work: Promise<void>): Promise<void> {
    let timer: Timer | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = this.clock.setTimer(limitMs, resolve);
    });
    await Promise.race([work, limit]);
    timer?.cancel();
  }

  /** Does something once the answer to the present call is on its way. Errors of `work` end there. */
  afterAnswer(work: () => void | Promise<void>): void {
    setImmediate(() => {
      if (!this.#running) return;
      void (async () => work())().catch(() => {});
    });
  }

  // Messages --------------------------------------------------------------------------------------------------------

  /**
   * Sends a request.
   *
   * @throws NotConnectedError, CallTimeoutError, PeerError, ValidationError, UnknownActionError
   */
  async call(action: string, payload: unknown): Promise<unknown> {
    if (!this.#running) throw new NotConnectedError(action, false);
    this.registration.messageSent();
    this.#outstanding++;
    try {
      const timeoutMs = this.#options.callTimeoutMs ?? this.settings.messageTimeoutS * 1000;
      return await this.#link.call(action, payload, timeoutMs);
    } finally {
      this.#outstanding--;
      if (this.#outstanding === 0) setImmediate(() => this.#quiet());
    }
  }

  /** Resolves when nothing waits in the queue and no request is under way. */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      this.#quietWaiters.push(resolve);
      setImmediate(() => this.#quiet());
    });
  }

  #quiet(): void {
    if (this.#outstanding > 0 || (this.queue.size > 0 && this.mayInitiate)) return;
    for (const resolve of this.#quietWaiters.splice(0)) resolve();
  }

  #registrationChanged(status: RegistrationStatus): void {
    this.#listener.registrationChanged(status);
    if (status !== "Accepted") return;
    for (const reported of this.#reported.values()) reported.told = undefined;
    this.#resume();
    this.#driver.sendStartup().catch(() => {});
  }

  #resume(): void {
    const offlineMs = this.#offlineSince === undefined ? 0 : this.clock.now() - this.#offlineSince;
    this.#offlineSince = undefined;
    this.queue.wake();
    // B04: after a long absence everything is told, after a short one what changed.
    const tellAll = offlineMs > this.settings.offlineThresholdS * 1000;
    const untold = [...this.#reported.values()].some((reported) => reported.told === undefined);
    if (untold || tellAll) void this.#driver.sendStationStatus().catch(() => {});
    for (const session of this.sessions) {
      const reported = this.#reported.get(session.evse.id);
      if (tellAll || reported?.told !== reported?.last) this.#tellStatus(session);
    }
  }

  statusChanged(session: Session): void {
    const reported = this.#reported.get(session.evse.id);
    if (reported === undefined) return;
    const status = this.#driver.statusOf(session);
    if (status === reported.last) return;
    reported.last = status;
    if (this.mayInitiate) this.#tellStatus(session);
  }

  #tellStatus(session: Session): void {
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

  /** Reports meter values outside transactions, when the CSMS can be told. */
  sendMeterValues(evseId: number, sample: Parameters<Driver["sendMeterValues"]>[1]): void {
    if (this.mayInitiate) this.#driver.sendMeterValues(evseId, sample).catch(() => {});
  }

  transactionEvent(event: TransactionEvent, transaction: Transaction): void {
    const key = `tx/${transaction.id}`;
    this.queue.put(this.#driver.messagesOf(event), {
      [key]: event.eventType === "Ended" ? null : { ...transaction },
      [`evse/${event.evseId}`]: { registerWh: event.meterWh },
    });
    if (event.eventType === "Started") this.profiles.watch();
    if (event.eventType === "Ended") this.clock.setTimer(0, () => this.#transactionOver(event.evseId));
    this.#listener.transactionEvent(event);
  }

  #transactionOver(evseId: number): void {
    this.profiles.transactionEnded(evseId);
    this.availability.save();
    if (!this.#resetWhenIdle || this.#isCharging()) return;
    this.#resetWhenIdle = false;
    void this.reboot("ScheduledReset", "Soft").catch(() => {});
  }

  // Drivers of vehicles -----------------------------------------------------------------------------------------------

  /**
   * A driver presents a token at an EVSE: starts or stops charging there. Never throws for a token that is refused.
   *
   * @throws RangeError for an EVSE that the station does not have
   */
  async presentIdToken(evseId: number, token: IdToken): Promise<TokenOutcome> {
    const session = this.session(evseId);
    if (session === undefined) throw new RangeError(`there is no EVSE ${evseId}`);
    if (session.authorization !== undefined) return this.#stopBy(session, token, session.authorization);
    if (!session.usable || !this.#mayStartLocally()) return "Refused";
    const standing = await this.authorization.decide(token);
    if (standing.status !== "Accepted" || session.authorization !== undefined || !session.usable) return "Refused";
    if (!this.reservations.allows(evseId, token, standing)) return "Refused";
    this.#authorize(session, token, standing.groupIdToken);
    return "Authorized";
  }

  async #stopBy(
    session: Session,
    token: IdToken,
    starter: { readonly token: IdToken; readonly group?: IdToken },
  ): Promise<TokenOutcome> {
    let standing: TokenStanding | undefined;
    if (!isSameToken(token, starter.token)) {
      standing = this.authorization.local(token);
      if (standing?.status !== "Accepted") standing = await this.authorization.decide(token);
    }
    if (!this.authorization.mayStop(token, standing, starter.token, starter.group)) return "Refused";
    session.endAuthorization("StopAuthorized", "Local", token);
    return "Stopped";
  }

  /** Before the first registration a station charges only when configured to (B02.FR.03, B03.FR.01). */
  #mayStartLocally(): boolean {
    const { status } = this.registration;
    if (status === "Accepted") return true;
    return this.settings.txBeforeAccepted || (status === "Unknown" && !this.isOnline);
  }

  #authorize(session: Session, token: IdToken, group: IdToken | undefined, remoteStartId?: number): void {
    const reservationId = this.reservations.use(session.evse.id);
    session.authorize({
      token,
      ...(group === undefined ? {} : { group }),
      ...(remoteStartId === undefined ? {} : { remoteStartId }),
      ...(reservationId === undefined ? {} : { reservationId }),
    });
  }

  /** Answers a remote start; authorization and transaction follow the answer (F01, F02; OCPP 1.6 §5.11). */
  remoteStart(request: RemoteStart): { readonly status: "Accepted" | "Rejected"; readonly transactionId?: string } {
    const session = this.#sessionFor(request);
    if (session === undefined || this.registration.status !== "Accepted") return { status: "Rejected" };
    const known = this.authorization.local(request.token);
    const group = request.groupToken ?? known?.groupIdToken;
    const standing = group === undefined ? known : { status: "Accepted" as const, groupIdToken: group };
    if (!this.reservations.allows(session.evse.id, request.token, standing)) return { status: "Rejected" };
    this.afterAnswer(() => this.#startRemotely(session, request));
    const transactionId = session.transaction?.id;
    return { status: "Accepted", ...(transactionId === undefined ? {} : { transactionId }) };
  }

  #sessionFor(request: RemoteStart): Session | undefined {
    const free = this.sessions.filter((session) => session.usable && session.authorization === undefined);
    if (request.evseId !== undefined) return free.find((session) => session.evse.id === request.evseId);
    const open = free.filter((session) => this.reservations.allows(session.evse.id, request.token, undefined));
    return open.find((session) => session.evse.plugged) ?? open[0];
  }

  async #startRemotely(session: Session, request: RemoteStart): Promise<void> {
    let group = request.groupToken;
    if (this.settings.authorizeRemoteStart) {
      const standing = await this.authorization.decide(request.token);
      if (standing.status !== "Accepted") return;
      group = standing.groupIdToken ?? group;
    }
    if (session.authorization !== undefined || !session.usable) return;
    this.#authorize(session, request.token, group, request.remoteStartId);
    const { profile } = request;
    if (profile === undefined || session.transaction === undefined) return;
    this.profiles.install(session.evse.id, { ...profile, transactionId: session.transaction.id });
  }

  /** Stops a transaction for the CSMS, after the answer (F03; OCPP 1.6 §5.12). */
  remoteStop(transactionId: string): "Accepted" | "Rejected" {
    const session = this.sessionOf(transactionId);
    if (session === undefined || this.registration.status !== "Accepted") return "Rejected";
    this.afterAnswer(() => session.endAuthorization("RemoteStop", "Remote"));
    return "Accepted";
  }

  // Changes -----------------------------------------------------------------------------------------------------------

  #synchronize(time: number): void {
    if (!this.#options.synchronizeClock) return;
    const difference = time - this.stationTime();
    // Answers have second precision at best; smaller steps would only make the clock jitter.
    if (Math.abs(difference) >= 1000) this.#clockOffsetMs += difference;
  }

  #availabilityChanged(session: Session): void {
    if (!session.usable) this.reservations.drop(session.evse.id);
    session.refresh();
    this.statusChanged(session);
  }

  #reservationEnded(reservation: Reservation, how: "Expired" | "Removed"): void {
    if (this.mayInitiate) this.#driver.reservationEnded(reservation, how);
  }

  #settingChanged(name: keyof Settings): void {
    if (name === "heartbeatIntervalS") this.registration.intervalChanged();
    if (name === "webSocketPingIntervalS") this.#link.updatePingInterval(this.settings.webSocketPingIntervalS * 1000);
    if (name.startsWith("retryBackOff")) this.#link.updateBackOff(this.backOff);
    if (name === "txUpdatedIntervalS" || name === "txEndedIntervalS") {
      for (const session of this.sessions) session.restartSampling();
    }
    if (name === "alignedIntervalS" || name === "alignedTxEndedIntervalS") this.#metering.start();
  }
}
