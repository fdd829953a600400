import type { IdToken, TokenStanding } from "../authorization/id-token.ts";
import { isSameToken } from "../authorization/id-token.ts";
import { ElectricVehicle } from "../electric-vehicle/electric-vehicle.ts";
import type { Evse, Fault } from "../evse/evse.ts";
import type { SampleContext } from "../metering/meter-sample.ts";
import { SessionSampling } from "../metering/session-sampling.ts";
import { ChargingTime } from "./charging-time.ts";
import { EventComposer, type Happening } from "./event-composer.ts";
import { RestartableTimer } from "./restartable-timer.ts";
import type { SessionAuthorization, SessionHost } from "./session-host.ts";
import type {
  ChargingState,
  StoppedReason,
  Transaction,
  TransactionEvent,
  TriggerReason,
} from "./transaction-event.ts";
import { type ConnectionFacts, isStartReached, isStopReached } from "./transaction-points.ts";

/** What happened, and whether it ends the transaction whatever TxStopPoint says. */
interface Step extends Happening {
  readonly force?: boolean;
}

/** Vehicle and limits are looked at this often while a contactor is closed. */
const TICK_MS = 15_000;

/**
 * One EVSE with its driver: authorization, transaction and samples. Follows TxStartPoint and TxStopPoint; family 1
 * is the case where a transaction runs from the closed power path to the end of the authorization.
 */
export class Session {
  readonly evse: Evse;
  readonly sampling: SessionSampling;
  readonly #host: SessionHost;
  readonly #chargingTime: ChargingTime;
  readonly #composer: EventComposer;
  /** EVConnectionTimeOut, while an authorized driver has not plugged in. */
  readonly #connectTimer: RestartableTimer;
  /** Runs while the contactor is closed. */
  readonly #tickTimer: RestartableTimer;
  #authorization: SessionAuthorization | undefined;
  #transaction: Transaction | undefined;
  /** Why the authorization ended, for the Ended event that may follow later. */
  #endReason: StoppedReason | undefined;
  /** An invalid token may take energy up to this register value. */
  #energyCapWh: number | undefined;
  #delivering = false;
  /** A transaction ended and its vehicle is still plugged in (1.6: Finishing). */
  finishing = false;
  /** Becomes Inoperative when the transaction ends. */
  inoperativeWhenIdle = false;
  /** Id of the reservation that holds this EVSE. */
  reservationId: number | undefined;

  constructor(evse: Evse, host: SessionHost) {
    this.evse = evse;
    this.#host = host;
    this.sampling = new SessionSampling(evse, host);
    this.#chargingTime = new ChargingTime(host.clock);
    this.#composer = new EventComposer(evse, host, this.sampling, this.#chargingTime);
    this.#connectTimer = new RestartableTimer(host.clock);
    this.#tickTimer = new RestartableTimer(host.clock);
  }

  get transaction(): Readonly<Transaction> | undefined {
    return this.#transaction;
  }

  get authorization(): SessionAuthorization | undefined {
    return this.#authorization;
  }

  /** Neither faulted nor switched off. */
  get usable(): boolean {
    return this.#host.operative && this.evse.operative && this.evse.fault === undefined;
  }

  get chargingState(): ChargingState {
    const { evse } = this;
    if (!evse.plugged) return "Idle";
    if (evse.contactorClosed) {
      if (evse.delivering) return "Charging";
      return evse.vehicle?.wantsEnergy === true ? "SuspendedEVSE" : "SuspendedEV";
    }
    return this.#authorization !== undefined && this.#isBlocked() ? "SuspendedEVSE" : "EVConnected";
  }

  /** A vehicle drives into the bay. */
  arrive(): void {
    this.#happen({ trigger: "EVDetected" }, () => {
      this.evse.parked = true;
    });
  }

  /** The vehicle leaves the bay. @throws Error while it is plugged in */
  leave(): void {
    if (this.evse.plugged) throw new Error(`the vehicle at EVSE ${this.evse.id} is still plugged in`);
    this.#happen({ trigger: "EVDeparted" }, () => {
      this.evse.parked = false;
    });
  }

  /** Connects a vehicle. @throws Error when one is connected already */
  plugIn(vehicle = new ElectricVehicle()): void {
    if (this.evse.plugged) throw new Error(`EVSE ${this.evse.id} has a vehicle already`);
    this.#connectTimer.cancel();
    this.#composer.pluggedIn();
    this.#happen({ trigger: "CablePluggedIn" }, () => {
      this.evse.plugIn(vehicle);
      this.evse.locked = true;
    });
  }

  /** Pulls the plug; a running transaction goes on or ends as StopTxOnEVSideDisconnect and TxStopPoint say (E09, E10). */
  unplug(): void {
    if (!this.evse.plugged) return;
    const disconnectStops = this.#authorization !== undefined && this.#host.settings.stopTxOnEvSideDisconnect;
    if (this.#authorization !== undefined) this.#endReason = "EVDisconnected";
    this.#happen({ trigger: "EVCommunicationLost" }, () => {
      this.#chargingTime.follow(false);
      this.evse.unplug();
      this.evse.parked = false;
      this.finishing = false;
      if (disconnectStops) this.#authorization = undefined;
    });
    if (this.#authorization !== undefined) this.#awaitConnection();
  }

  /** A driver is allowed to charge here. */
  authorize(authorization: SessionAuthorization): void {
    this.#endReason = undefined;
    this.#energyCapWh = undefined;
    this.#composer.authorized(authorization);
    const trigger = authorization.remoteStartId === undefined ? "Authorized" : "RemoteStart";
    this.#happen({ trigger }, () => {
      this.#authorization = authorization;
    });
    if (!this.evse.plugged && this.#authorization !== undefined) this.#awaitConnection();
  }

  /** Ends the authorization: by the driver, the CSMS, or because the token turned out to be invalid. */
  endAuthorization(trigger: TriggerReason, reason: StoppedReason, token?: IdToken): void {
    if (this.#authorization === undefined && this.#transaction === undefined) return;
    this.#connectTimer.cancel();
    this.#endReason = reason;
    this.#happen({ trigger, reason, ...(token === undefined ? {} : { token }) }, () => {
      this.#authorization = undefined;
      this.evse.locked = this.evse.plugged && trigger === "Deauthorized";
    });
  }

  /** Ends the transaction at once, for a reset, a fault or a lost supply. */
  forceEnd(trigger: TriggerReason, reason: StoppedReason, resetKind?: "Hard" | "Soft"): void {
    this.#endReason = reason;
    this.#connectTimer.cancel();
    this.#happen({ trigger, reason, force: true, ...(resetKind === undefined ? {} : { resetKind }) }, () => {
      this.#authorization = undefined;
    });
  }

  /** The CSMS answered a transaction event with the standing of its token (E05; 1.6 §4.8). */
  standingReceived(transactionId: string, token: IdToken, standing: TokenStanding): void {
    const authorization = this.#authorization;
    if (this.#transaction?.id !== transactionId || authorization === undefined) return;
    if (!isSameToken(authorization.token, token)) return;
    if (standing.status === "Accepted") {
      if (standing.groupIdToken !== undefined) {
        this.#authorization = { ...authorization, group: standing.groupIdToken };
        this.#transaction.groupToken = standing.groupIdToken;
      }
      return;
    }
    const { stopTxOnInvalidId, maxEnergyOnInvalidIdWh } = this.#host.settings;
    if (stopTxOnInvalidId) this.endAuthorization("Deauthorized", "DeAuthorized");
    else {
      this.#energyCapWh = this.evse.meterWh + maxEnergyOnInvalidIdWh;
      this.refresh();
    }
  }

  setFault(fault: Fault | undefined): void {
    this.evse.fault = fault;
    if (fault !== undefined && this.#transaction !== undefined) {
      const reason = fault.errorCode === "GroundFailure" ? "GroundFault" : "Other";
      this.forceEnd("AbnormalCondition", fault.errorCode === "OverCurrentFailure" ? "OvercurrentFault" : reason);
    }
    this.refresh();
  }

  /** Looks at vehicle, limits and meter again and reports what changed. */
  refresh(): void {
    this.evse.refresh();
    this.#settlePower();
  }

  /** Reports an event that changes nothing by itself: a sample, or one that was asked for. */
  report(trigger: TriggerReason, context: SampleContext): void {
    if (this.#transaction === undefined) return;
    const { settings } = this.#host;
    const aligned = trigger === "MeterValueClock";
    const measurands = aligned ? settings.alignedMeasurands : settings.txUpdatedMeasurands;
    const sample = this.sampling.take(context, measurands, aligned ? "aligned" : "updated");
    if (sample === undefined && trigger !== "Trigger") return;
    this.#emit("Updated", { trigger, samples: sample === undefined ? [] : [sample] });
  }

  /** Keeps a clock-aligned sample for the Ended event (AlignedDataCtrlr.TxEndedMeasurands). */
  keepAlignedSample(): void {
    if (this.#transaction !== undefined) this.sampling.keep("Sample.Clock");
  }

  /** Ends what storage remembers of a transaction that was running when the station lost its supply. */
  endRemembered(transaction: Transaction, reason: StoppedReason): void {
    this.#transaction = transaction;
    this.#endReason = reason;
    this.#finish({ trigger: "AbnormalCondition", reason });
  }

  /** Starts sampling anew after an interval was configured. */
  restartSampling(): void {
    if (this.#transaction === undefined) return;
    this.#startSampling();
  }

  /** The station loses its supply or stops: timers end, nothing is reported. */
  halt(): void {
    this.#connectTimer.cancel();
    this.#stopSampling();
  }

  #facts(): ConnectionFacts {
    return { parked: this.evse.parked, plugged: this.evse.plugged, authorized: this.#authorization !== undefined };
  }

  #isBlocked(): boolean {
    if (!this.usable && this.#transaction === undefined) return true;
    if (this.evse.fault !== undefined) return true;
    return this.#energyCapWh !== undefined && this.evse.meterWh >= this.#energyCapWh;
  }

  #happen(happening: Step, change: () => void): void {
    const { settings } = this.#host;
    const before = this.#facts();
    change();
    const after = this.#facts();
    if (this.#transaction === undefined) {
      if (this.usable && isStartReached(settings.txStartPoint, before, after)) this.#begin(happening);
    } else if (happening.force === true || this.#endsNow(happening, before, after)) {
      this.#finish(happening);
    } else {
      this.#emit("Updated", happening);
    }
    this.#settlePower();
  }

  #endsNow(happening: Happening, before: ConnectionFacts, after: ConnectionFacts): boolean {
    const points = this.#host.settings.txStopPoint;
    // E03.FR.05: a connection that never came ends the transaction, unless the bay decides (E03.FR.15).
    if (happening.trigger === "EVConnectTimeout") return !points.includes("ParkingBayOccupancy");
    if (isStopReached(points, before, after)) return true;
    // Without authorization the energy transfer ends in the same moment.
    return points.includes("EnergyTransfer") && this.#delivering && (!after.authorized || !after.plugged);
  }

  #begin(happening: Happening): void {
    this.#transaction = {
      id: this.#host.createTransactionId(),
      evseId: this.evse.id,
      startedAt: this.#host.stationTime(),
      meterStartWh: this.evse.meterWh,
      seqNo: 0,
      chargingState: this.chargingState,
    };
    this.#chargingTime.restart();
    this.#composer.begin();
    this.sampling.begin();
    this.finishing = false;
    const begin = this.sampling.take("Transaction.Begin", this.#host.settings.txStartedMeasurands, "started");
    this.#emit("Started", { ...happening, samples: begin === undefined ? [] : [begin] });
    this.#startSampling();
  }

  #finish(happening: Happening): void {
    this.#chargingTime.follow(false);
    this.evse.setContactor(false);
    this.sampling.keep("Transaction.End");
    const reason = this.#endReason ?? happening.reason ?? "Local";
    this.#emit("Ended", { ...happening, reason, samples: this.sampling.ended });
    this.#stopSampling();
    this.#connectTimer.cancel();
    this.#transaction = undefined;
    this.#authorization = undefined;
    this.#endReason = undefined;
    this.#energyCapWh = undefined;
    this.#delivering = false;
    this.finishing = this.evse.plugged;
    if (this.inoperativeWhenIdle) {
      this.inoperativeWhenIdle = false;
      this.evse.operative = false;
    }
  }

  /** Lets the contactor follow the authorization and reports what the energy does. */
  #settlePower(): void {
    this.evse.setLimit(this.#host.powerLimit(this));
    const closed = this.evse.plugged && this.#authorization !== undefined && !this.#isBlocked();
    if (closed !== this.evse.contactorClosed) this.evse.setContactor(closed);
    const delivered = this.#delivering;
    this.#delivering = this.evse.delivering;
    const { txStartPoint, txStopPoint } = this.#host.settings;
    if (this.#transaction === undefined) {
      if (this.#delivering && !delivered && txStartPoint.includes("EnergyTransfer")) {
        this.#begin({ trigger: this.#composer.owesRemoteStart ? "RemoteStart" : "ChargingStateChanged" });
      }
    } else if (delivered && !this.#delivering && txStopPoint.includes("EnergyTransfer")) {
      const reason = this.chargingState === "SuspendedEV" ? "StoppedByEV" : "Other";
      this.#endReason ??= reason;
      this.#finish({ trigger: "ChargingStateChanged", reason });
    } else if (this.chargingState !== this.#transaction.chargingState) {
      this.#emit("Updated", { trigger: "ChargingStateChanged" });
    }
    this.#watchPower();
    this.#host.statusChanged(this);
  }

  #watchPower(): void {
    if (!this.evse.contactorClosed) {
      this.#tickTimer.cancel();
      return;
    }
    if (this.#tickTimer.isRunning) return;
    this.#tickTimer.start(TICK_MS, () => {
      this.evse.update();
      this.#settlePower();
    });
  }

  #emit(eventType: TransactionEvent["eventType"], happening: Happening): void {
    const transaction = this.#transaction;
    if (transaction === undefined) return;
    const state = this.chargingState;
    this.#chargingTime.follow(state === "Charging");
    const event = this.#composer.compose(eventType, transaction, state, happening, this.#authorization);
    this.#host.transactionEvent(event, transaction);
  }

  #awaitConnection(): void {
    this.#connectTimer.cancel();
    const { evConnectionTimeOutS } = this.#host.settings;
    if (evConnectionTimeOutS <= 0) return;
    this.#connectTimer.start(evConnectionTimeOutS * 1000, () => this.endAuthorization("EVConnectTimeout", "Timeout"));
  }

  #startSampling(): void {
    this.sampling.start(() => {
      this.#settlePower();
      this.report("MeterValuePeriodic", "Sample.Periodic");
    });
  }

  #stopSampling(): void {
    this.sampling.stop();
    this.#tickTimer.cancel();
  }
}
