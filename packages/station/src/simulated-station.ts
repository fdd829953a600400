import { EventEmitter, once } from "node:events";
import type { OcppVersion } from "@polyphase/ocpp";
import { engineOptions, makeDriver, makeLink, wireVersionOf } from "./assembly.ts";
import type { IdToken } from "./authorization/id-token.ts";
import { ChargingStation } from "./charging-station.ts";
import { type Clock, ScaledClock } from "./clock.ts";
import type { Settings } from "./configuration/settings.ts";
import type { Driver } from "./driver.ts";
import { ElectricVehicle, type VehicleOptions } from "./electric-vehicle/electric-vehicle.ts";
import type { Fault } from "./evse/evse.ts";
import { type EvseView, evseViewOf } from "./evse/evse-view.ts";
import type { RegistrationStatus } from "./provisioning/registration.ts";
import { type SimulatedStationOptions, transportOf } from "./simulated-station-options.ts";
import type { StationEvents } from "./station-events.ts";
import type { TokenOutcome } from "./transactions/charging-permission.ts";
import type { LedgerEntry } from "./transactions/offline-queue.ts";
import type { Session } from "./transactions/session.ts";
import type { LinkListener } from "./transport/link.ts";

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
  #driver: Driver | undefined;
  readonly #idTokenType: string;
  readonly #ownClock: ScaledClock | undefined;

  /** @throws RangeError for options that contradict each other */
  constructor(options: SimulatedStationOptions) {
    super();
    this.setMaxListeners(0);
    this.id = options.id;
    this.version = wireVersionOf(options);
    this.transport = transportOf(options);
    this.#idTokenType = options.idTokenType ?? "ISO14443";
    const clock = options.clock ?? new ScaledClock({ scale: options.timeScale ?? 1 });
    this.#ownClock = clock instanceof ScaledClock && options.clock === undefined ? clock : undefined;
    this.#engine = new ChargingStation(
      engineOptions(options, this.version, clock),
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
      (engine) => {
        this.#driver = makeDriver(engine, options, this.version);
        return this.#driver;
      },
      (engine, driver) => makeLink(engine, options, this.version, this.#linkListener(engine, driver)),
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

  #linkListener(engine: ChargingStation, driver: Driver): LinkListener {
    return {
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
    return evseViewOf(session, this.#driver?.statusOf(session) ?? "");
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
