import type { IdToken } from "../authorization/id-token.ts";
import type { Evse } from "../evse/evse.ts";
import type { MeterSample } from "../metering/meter-sample.ts";
import type { SessionSampling } from "../metering/session-sampling.ts";
import type { ChargingTime } from "./charging-time.ts";
import type { SessionAuthorization, SessionHost } from "./session-host.ts";
import type {
  ChargingState,
  StoppedReason,
  Transaction,
  TransactionEvent,
  TriggerReason,
} from "./transaction-event.ts";

/** What happened at an EVSE, as far as an event tells it. */
export interface Happening {
  readonly trigger: TriggerReason;
  readonly reason?: StoppedReason;
  readonly token?: IdToken;
  readonly samples?: readonly MeterSample[];
  readonly resetKind?: "Hard" | "Soft";
}

/** Makes the events of one EVSE's transactions: knows what the CSMS was told already, and tells the rest once. */
export class EventComposer {
  readonly #evse: Evse;
  readonly #host: SessionHost;
  readonly #sampling: SessionSampling;
  readonly #chargingTime: ChargingTime;
  /** The token or remote start has not been told to the CSMS yet. */
  #tokenToReport = false;
  #remoteStartToReport: number | undefined;
  #reservationToReport: number | undefined;
  #connectorToReport = false;
  #beginMeasured = false;

  constructor(evse: Evse, host: SessionHost, sampling: SessionSampling, chargingTime: ChargingTime) {
    this.#evse = evse;
    this.#host = host;
    this.#sampling = sampling;
    this.#chargingTime = chargingTime;
  }

  /** The CSMS does not know yet that it started this itself. */
  get owesRemoteStart(): boolean {
    return this.#remoteStartToReport !== undefined;
  }

  /** A vehicle is connected: the next event names the connector. */
  pluggedIn(): void {
    this.#connectorToReport = true;
  }

  /** A driver is allowed to charge: the next event says by which token, remote start and reservation. */
  authorized(authorization: SessionAuthorization): void {
    this.#tokenToReport = true;
    this.#remoteStartToReport = authorization.remoteStartId;
    this.#reservationToReport = authorization.reservationId;
  }

  /** A transaction begins: its first values have not been measured. */
  begin(): void {
    this.#beginMeasured = false;
  }

  /** The next event of a transaction, which takes note of what it tells. */
  compose(
    eventType: TransactionEvent["eventType"],
    transaction: Transaction,
    chargingState: ChargingState,
    happening: Happening,
    authorization: SessionAuthorization | undefined,
  ): TransactionEvent {
    const startsCharging = chargingState === "Charging" && transaction.chargingState !== "Charging";
    transaction.chargingState = chargingState;
    const token = happening.token ?? (this.#tokenToReport ? authorization?.token : undefined);
    if (authorization !== undefined) this.#noteToken(transaction, authorization);
    const remoteStartId = this.#remoteStartToReport;
    if (remoteStartId !== undefined) transaction.remoteStartId = remoteStartId;
    const { phasesInUse } = this.#evse.values;
    const event: TransactionEvent = {
      eventType,
      transactionId: transaction.id,
      evseId: this.#evse.id,
      seqNo: transaction.seqNo++,
      at: this.#host.stationTime(),
      // F02.FR.21: the first event after a remote start says so, whatever else happened.
      triggerReason: remoteStartId === undefined ? happening.trigger : "RemoteStart",
      chargingState,
      meterWh: this.#evse.meterWh,
      samples: this.#withBeginSample(happening.samples ?? [], startsCharging),
      offline: !this.#host.isOnline,
      connectorKnown: this.#connectorToReport && this.#evse.plugged,
      timeSpentChargingS: this.#chargingTime.seconds,
      ...(token === undefined ? {} : { token }),
      ...(remoteStartId === undefined ? {} : { remoteStartId }),
      ...(this.#reservationToReport === undefined ? {} : { reservationId: this.#reservationToReport }),
      ...(eventType === "Ended" && happening.reason !== undefined ? { stoppedReason: happening.reason } : {}),
      ...(happening.resetKind === undefined ? {} : { resetKind: happening.resetKind }),
      ...(startsCharging && phasesInUse > 0 ? { numberOfPhasesUsed: phasesInUse } : {}),
    };
    this.#remoteStartToReport = undefined;
    this.#reservationToReport = undefined;
    if (event.connectorKnown) this.#connectorToReport = false;
    return event;
  }

  #noteToken(transaction: Transaction, { token, group }: SessionAuthorization): void {
    if (!this.#tokenToReport) return;
    this.#tokenToReport = false;
    transaction.token = token;
    if (group !== undefined) transaction.groupToken = group;
  }

  /** E01.FR.17: when the transaction began before a vehicle was there, the first values follow when charging starts. */
  #withBeginSample(samples: readonly MeterSample[], startsCharging: boolean): readonly MeterSample[] {
    if (samples.some((sample) => sample.context === "Transaction.Begin")) this.#beginMeasured = true;
    if (!startsCharging || this.#beginMeasured) return samples;
    this.#beginMeasured = true;
    const begin = this.#sampling.take("Transaction.Begin", this.#host.settings.txStartedMeasurands, "started");
    return begin === undefined ? samples : [begin, ...samples];
  }
}
