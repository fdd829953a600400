import { randomUUID } from "node:crypto";
import { EventEmitter, once } from "node:events";
import type { OcppVersion, SoapVersion, WireMessage } from "@polyphase/ocpp";
import type { IdToken } from "./authorization/id-token.ts";
import { ChargingStation } from "./charging-station.ts";
import type { ChargingStationOptions } from "./charging-station-options.ts";
import { type Clock, ScaledClock } from "./clock.ts";
import type { Settings } from "./configuration/settings.ts";
import type { Driver } from "./driver.ts";
import { ElectricVehicle, type VehicleOptions } from "./electric-vehicle/electric-vehicle.ts";
import type { ElectricalValues, Supply } from "./evse/electrical.ts";
import type { Fault } from "./evse/evse.ts";
import { type StationIdentity, simulatedIdentity } from "./identity.ts";
import { Family1Driver, family1Settings } from "./ocpp1/family1-driver.ts";
import { Family2Driver, family2Settings } from "./ocpp2/family2-driver.ts";
import type { RegistrationStatus } from "./provisioning/registration.ts";
import { seededRandom } from "./random.ts";
import {
  type SimulatedStationOptions,
  securityProfileOf,
  storageOf,
  suppliesOf,
  transportOf,
} from "./simulated-station-options.ts";
import type { TokenOutcome } from "./transactions/charging-permission.ts";
import type { LedgerEntry, TransactionMessage } from "./transactions/offline-queue.ts";
import type { Session } from "./transactions/session.ts";
import type { Transaction, TransactionEvent } from "./transactions/transaction-event.ts";
import { JsonLink } from "./transport/json-link.ts";
import type { Link, LinkListener, LinkOptions } from "./transport/link.ts";
import { SoapLink } from "./transport/soap-link.ts";

/** Events of a {@link SimulatedStation} with their arguments. */
export interface StationEvents {
  /** BootNotification was accepted. */
  registered: [];
  /** The registration status changed. */
  registrationChanged: [status: RegistrationStatus];
  online: [];
  offline: [];
  /** An attempt to reach the CSMS failed; the station goes on trying. */
  connectFailed: [error: Error];
  transactionStarted: [event: TransactionEvent];
  transactionUpdated: [event: TransactionEvent];
  transactionEnded: [event: TransactionEvent];
  /** A transaction message was given up after its last attempt. */
  messageDiscarded: [message: TransactionMessage, error: unknown];
  /** The station boots after a reset. */
  rebooted: [reason: string];
  /** A message crossed the wire. */
  message: [message: WireMessage];
}

/** What can be seen of an EVSE. */
export interface EvseView {
  readonly id: number;
  /** Status of the connector in the words of the station's version. */
  readonly status: string;
  readonly plugged: boolean;
  readonly vehicle: ElectricVehicle | undefined;
  /** Energy register, whole Wh. */
  readonly meterWh: number;
  readonly values: ElectricalValues;
  /** The running transaction. */
  readonly transaction: Readonly<Transaction> | undefined;
  /** The token that may charge now. */
  readonly authorizedToken: IdToken | undefined;
}

/**
 * A simulated charging station of any OCPP version: connects to a CSMS, boots, and charges vehicles as told by the
 * methods below and by the CSMS.
 *
 * @example
 * ```ts
 * const station = new SimulatedStation({ id: "CS-1", version: "2.0.1", csmsUrl: "ws://127.0.0.1:9000/ocpp" });
 * await station.start();
 * station.plugIn(1);
 * await station.presentIdToken(1, "TAG1");
 * // … time passes …
 * await station.presentIdToken(1, "TAG1");
 * station.unplug(1);
 * await station.drained();
 * await station.stop();
 * ```
 */
export class SimulatedStation extends EventEmitter<StationEvents> {
  readonly id: string;
  /** The OCPP version on the wire. */
  readonly version: OcppVersion;
  readonly transport: "OCPP-J" | "OCPP-S";
  readonly #engine: ChargingStation;
  readonly #driver: { current?: Driver } = {};
  readonly #idTokenType: string;
  readonly #ownClock: ScaledClock | undefined;

  /** @throws RangeError for options that contradict each other */
  constructor(options: SimulatedStationOptions) {
    super();
    this.setMaxListeners(0);
    this.id = options.id;
    this.version = options.version === "1.6S" ? "1.6" : options.version;
    this.transport = transportOf(options);
    this.#idTokenType = options.idTokenType ?? "ISO14443";
    this.#ownClock = options.clock === undefined ? new ScaledClock({ scale: options.timeScale ?? 1 }) : undefined;
    const supplies = suppliesOf(options.evses);
    const identity = { ...simulatedIdentity(options.id, supplies[0]?.kind ?? "AC"), ...options.identity };
    this.#engine = new ChargingStation(
      this.#engineOptions(options, supplies),
      {
        registrationChanged: (status) => {
          this.#tell("registrationChanged", status);
          if (status === "Accepted") this.#tell("registered");
        },
        transactionEvent: (event) => this.#tell(`transaction${event.eventType}`, event),
        messageDiscarded: (message, error) => this.#tell("messageDiscarded", message, error),
        rebooted: (reason) => this.#tell("rebooted", reason),
        connectFailed: (error) => this.#tell("connectFailed", error),
      },
      (engine) => this.#makeDriver(engine, identity, securityProfileOf(options)),
      (engine, driver) => this.#makeLink(engine, driver, options),
    );
  }

  /** Emits an event; what a listener throws reaches the process and not the station in the middle of a step. */
  #tell<E extends keyof StationEvents>(event: E, ...facts: StationEvents[E]): void {
    try {
      (this as EventEmitter).emit(event, ...facts);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  #engineOptions(options: SimulatedStationOptions, supplies: readonly Supply[]): ChargingStationOptions {
    const clock = options.clock ?? this.#ownClock;
    if (clock === undefined) throw new RangeError("a station needs a clock");
    const defaults =
      this.version === "2.0.1" || this.version === "2.1" ? family2Settings() : family1Settings(this.version);
    return {
      clock,
      random: seededRandom(`${options.seed ?? options.id}/${options.id}`),
      storage: storageOf(options),
      supplies,
      settings: { ...defaults, ...options.settings },
      synchronizeClock: options.synchronizeClock ?? this.#ownClock?.scale === 1,
      rebootDurationMs: options.rebootDurationMs ?? 1_000,
      ledgerSize: options.ledgerSize ?? 10_000,
      createTransactionId: randomUUID,
      callTimeoutMs: options.callTimeoutMs,
    };
  }

  #makeDriver(engine: ChargingStation, identity: StationIdentity, securityProfile: number): Driver {
    const { version } = this;
    const driver =
      version === "2.0.1" || version === "2.1"
        ? new Family2Driver(engine, version, identity, { stationId: this.id, securityProfile })
        : new Family1Driver(engine, version, identity);
    this.#driver.current = driver;
    return driver;
  }

  #makeLink(engine: ChargingStation, driver: Driver, options: SimulatedStationOptions): Link {
    const listener: LinkListener = {
      answer: (action, payload) => driver.answer(action, payload),
      online: () => {
        engine.online();
        this.#tell("online");
      },
      offline: () => {
        engine.offline();
        this.#tell("offline");
      },
      message: (message) => {
        if (this.listenerCount("message") > 0) this.#tell("message", message);
      },
      connectFailed: (error) => this.#tell("connectFailed", error),
    };
    const random = engine.random.fork("transport");
    const { password, tls, listen, publicUrl } = options;
    const link: LinkOptions = {
      url: options.csmsUrl,
      identity: this.id,
      version: this.version,
      backOff: options.backOff ?? engine.backOff,
      pingIntervalMs: engine.settings.webSocketPingIntervalS * 1000,
      random: () => random.next(),
      ...(password === undefined ? {} : { password }),
      ...(tls === undefined ? {} : { tls }),
      ...(listen === undefined ? {} : { listen }),
      ...(publicUrl === undefined ? {} : { publicUrl }),
    };
    if (this.transport === "OCPP-J") return new JsonLink(link, listener);
    return new SoapLink({ ...link, version: this.version as SoapVersion }, listener);
  }

  /** Where the station stands with its CSMS. */
  get registrationStatus(): RegistrationStatus {
    return this.#engine.registration.status;
  }

  get isOnline(): boolean {
    return this.#engine.isOnline;
  }

  /** The settings as the CSMS and the options have made them. */
  get settings(): Readonly<Settings> {
    return this.#engine.settings;
  }

  /** The simulated time. */
  get clock(): Clock {
    return this.#engine.clock;
  }

  /** The latest transaction messages and what became of each: for comparing a station's books with a CSMS's. */
  get ledger(): readonly Readonly<LedgerEntry>[] {
    return this.#engine.queue.ledger;
  }

  /** Transaction messages that the CSMS has not answered yet. */
  get queuedMessages(): number {
    return this.#engine.queue.size;
  }

  /** Ids of all EVSEs. */
  get evseIds(): readonly number[] {
    return this.#engine.sessions.map((session) => session.evse.id);
  }

  /**
   * Switches the station on and resolves when the CSMS has accepted it.
   *
   * @param options.untilRegistered false: do not wait
   * @throws the signal's reason when it is aborted first
   */
  async start(options: { readonly untilRegistered?: boolean; readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#engine.start();
    if (options.untilRegistered === false || this.registrationStatus === "Accepted") return;
    const { signal } = options;
    await once(this, "registered", signal === undefined ? {} : { signal }).catch((error: unknown) => {
      throw signal?.aborted === true ? signal.reason : error;
    });
  }

  /** Switches the station off as a lost supply does; with storage, running transactions end at the next start. */
  async stop(): Promise<void> {
    await this.#engine.stop();
    this.#ownClock?.stop();
  }

  /** Cuts the connection; the station keeps charging and queues what it would report. */
  async goOffline(): Promise<void> {
    await this.#engine.goOffline();
  }

  /** Lets the station connect again; `online` tells when it has. */
  async goOnline(): Promise<void> {
    await this.#engine.goOnline();
  }

  /** Resolves when every transaction message so far was answered (or given up). */
  drained(): Promise<void> {
    return this.#engine.queue.drained();
  }

  /** Resolves when nothing is under way: no request unanswered and, while connected, no transaction message waiting. */
  settled(): Promise<void> {
    return this.#engine.settled();
  }

  /** Restarts the station from its own panel; running transactions end. */
  async reboot(): Promise<void> {
    await this.#engine.restart.now("LocalReset", "Soft");
  }

  /** What can be seen of an EVSE now. @throws RangeError when there is none with this id */
  evse(evseId: number): EvseView {
    const session = this.#session(evseId);
    return {
      id: evseId,
      status: this.#driver.current?.statusOf(session) ?? "",
      plugged: session.evse.plugged,
      vehicle: session.evse.vehicle,
      meterWh: session.evse.meterWh,
      values: session.evse.values,
      transaction: session.transaction,
      authorizedToken: session.authorization?.token,
    };
  }

  /** A vehicle drives into the bay and is not plugged in yet (TxStartPoint ParkingBayOccupancy). */
  arrive(evseId: number): void {
    this.#session(evseId).arrive();
  }

  /** The vehicle leaves the bay. @throws Error while it is plugged in */
  leave(evseId: number): void {
    this.#session(evseId).leave();
  }

  /** Plugs a vehicle in. @throws Error when one is plugged in already */
  plugIn(evseId: number, vehicle: ElectricVehicle | VehicleOptions = {}): ElectricVehicle {
    const arrived = vehicle instanceof ElectricVehicle ? vehicle : new ElectricVehicle(vehicle);
    this.#session(evseId).plugIn(arrived);
    return arrived;
  }

  /** Unplugs the vehicle, if there is one. */
  unplug(evseId: number): void {
    this.#session(evseId).unplug();
  }

  /** A driver presents a token: starts or stops charging. Plain text gets the station's token type. */
  async presentIdToken(evseId: number, token: string | IdToken): Promise<TokenOutcome> {
    const presented = typeof token === "string" ? { idToken: token, type: this.#idTokenType } : token;
    return this.#engine.permission.presentIdToken(this.#session(evseId), presented);
  }

  /** The vehicle stops taking energy, and takes it again. */
  pauseVehicle(evseId: number, paused = true): void {
    const session = this.#session(evseId);
    if (session.evse.vehicle !== undefined) session.evse.vehicle.paused = paused;
    session.refresh();
  }

  /** Breaks an EVSE, or repairs it when no fault is given. A running transaction ends. */
  setFault(evseId: number, fault?: Fault): void {
    this.#session(evseId).setFault(fault);
  }

  /**
   * Sends a request of any kind, as it is; for tests of a CSMS.
   *
   * @throws NotConnectedError, CallTimeoutError, PeerError, ValidationError, UnknownActionError
   */
  call(action: string, payload: unknown): Promise<unknown> {
    return this.#engine.call(action, payload);
  }

  #session(evseId: number): Session {
    const session = this.#engine.session(evseId);
    if (session === undefined) throw new RangeError(`${this.id} has no EVSE ${evseId}`);
    return session;
  }
}
