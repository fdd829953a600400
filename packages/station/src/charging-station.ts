import { Authorization } from "./authorization/authorization.ts";
import { AuthorizationCache } from "./authorization/authorization-cache.ts";
import { LocalList } from "./authorization/local-list.ts";
import { Availability } from "./availability/availability.ts";
import { StatusReports } from "./availability/status-reports.ts";
import type { ChargingStationOptions, StationListener } from "./charging-station-options.ts";
import type { Clock } from "./clock.ts";
import { ConfigurationStore } from "./configuration/configuration-store.ts";
import type { Settings } from "./configuration/settings.ts";
import type { Driver } from "./driver.ts";
import type { Supply } from "./evse/electrical.ts";
import { Evse } from "./evse/evse.ts";
import { AlignedMetering } from "./metering/aligned-metering.ts";
import { passwordOf, type StoredPassword } from "./password.ts";
import { type BootReason, Registration, type RegistrationStatus } from "./provisioning/registration.ts";
import { Restart } from "./provisioning/restart.ts";
import { StationClock } from "./provisioning/station-clock.ts";
import type { Random } from "./random.ts";
import { type Reservation, Reservations } from "./reservation/reservations.ts";
import { ChargingProfiles } from "./smart-charging/charging-profiles.ts";
import { Journal } from "./storage/journal.ts";
import { ChargingPermission } from "./transactions/charging-permission.ts";
import { OfflineQueue } from "./transactions/offline-queue.ts";
import { Session } from "./transactions/session.ts";
import type { Transaction, TransactionEvent } from "./transactions/transaction-event.ts";
import type { BackOff, Link } from "./transport/link.ts";
import { OutgoingRequests } from "./transport/outgoing-requests.ts";

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
  readonly permission: ChargingPermission;
  readonly restart: Restart;
  readonly #options: ChargingStationOptions;
  readonly #listener: StationListener;
  readonly #metering: AlignedMetering;
  readonly #driver: Driver;
  readonly #link: Link;
  readonly #requests: OutgoingRequests;
  readonly #statuses: StatusReports;
  readonly #time: StationClock;
  #running = false;

  constructor(
    options: ChargingStationOptions,
    listener: StationListener,
    makeDriver: (station: ChargingStation) => Driver,
    makeLink: (station: ChargingStation, driver: Driver) => Link,
  ) {
    this.#options = options;
    this.#listener = listener;
    this.clock = options.clock;
    this.#time = new StationClock(options.clock, options.synchronizeClock);
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
    this.permission = new ChargingPermission(this);
    this.restart = new Restart(this, options.rebootDurationMs);
    this.#metering = new AlignedMetering(this);
    this.#driver = makeDriver(this);
    this.queue = new OfflineQueue(this.journal, this.#queueHost(), options.ledgerSize);
    this.#link = makeLink(this, this.#driver);
    const password = this.journal.get("password") as StoredPassword | undefined;
    if (password !== undefined) this.#link.updatePassword(passwordOf(password));
    this.#requests = new OutgoingRequests(this.#link, () => this.queue.size > 0 && this.mayInitiate);
    this.#statuses = new StatusReports(this, this.#driver);
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
      synchronize: (time) => this.#time.synchronize(time),
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
    return this.#time.now();
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
    this.#requests.open();
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
    this.restart.halt();
    this.registration.stop();
    this.queue.stop();
    this.#driver.halt();
    this.#metering.halt();
    this.profiles.halt();
    this.reservations.halt();
    for (const session of this.sessions) session.halt();
    await this.#link.stop();
    this.#requests.close();
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
    this.#statuses.offline();
    this.registration.offline();
    this.queue.suspend();
  }

  /** The station goes down for a restart. */
  async goDown(reason: BootReason): Promise<void> {
    this.#driver.halt();
    this.registration.restart(reason);
    await this.#link.stop();
  }

  /** The station comes up after a restart. */
  comeUp(reason: BootReason): void {
    this.#listener.rebooted(reason);
    this.#link.start().catch((error) => this.#listener.connectFailed(error));
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
  call(action: string, payload: unknown): Promise<unknown> {
    this.registration.messageSent();
    const timeoutMs = this.#options.callTimeoutMs ?? this.settings.messageTimeoutS * 1000;
    return this.#requests.call(action, payload, timeoutMs);
  }

  /** Resolves when nothing waits in the queue and no request is under way. */
  settled(): Promise<void> {
    return this.#requests.settled();
  }

  #registrationChanged(status: RegistrationStatus): void {
    this.#listener.registrationChanged(status);
    if (status !== "Accepted") return;
    this.#statuses.forget();
    this.#resume();
    this.#driver.sendStartup().catch(() => {});
  }

  #resume(): void {
    this.queue.wake();
    this.#statuses.resume();
  }

  statusChanged(session: Session): void {
    this.#statuses.changed(session);
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
    // What follows must not meet the session in the middle of a step.
    if (event.eventType === "Started") queueMicrotask(() => this.#transactionOpen(event.evseId));
    if (event.eventType === "Ended") queueMicrotask(() => this.#transactionOver(event.evseId));
    this.#listener.transactionEvent(event);
  }

  #transactionOpen(evseId: number): void {
    const session = this.session(evseId);
    if (session !== undefined) this.permission.transactionOpen(session);
    this.profiles.watch();
  }

  #transactionOver(evseId: number): void {
    this.profiles.transactionEnded(evseId);
    this.availability.save();
    this.restart.transactionOver();
  }

  // Changes -----------------------------------------------------------------------------------------------------------

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
