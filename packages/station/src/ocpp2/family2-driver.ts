import { type CallsFrom, catalogue, type Ocpp21, OcppError, type RequestOf, type ResponseOf } from "@polyphase/ocpp";
import type { IdToken, TokenStanding } from "../authorization/id-token.ts";
import type { ChargingStation } from "../charging-station.ts";
import type { Family2Version, ModelContext } from "../configuration/device-model.ts";
import type { Settings } from "../configuration/settings.ts";
import type { Driver } from "../driver.ts";
import { TransferReports } from "../firmware/transfer-reports.ts";
import type { StationIdentity } from "../identity.ts";
import type { MeterSample } from "../metering/meter-sample.ts";
import { type BootAnswer, type BootReason, bootAnswer } from "../provisioning/registration.ts";
import type { Reservation } from "../reservation/reservations.ts";
import type { TransactionMessage } from "../transactions/offline-queue.ts";
import type { Session } from "../transactions/session.ts";
import type { TransactionEvent } from "../transactions/transaction-event.ts";
import { family2Calls } from "./calls.ts";
import { connectorStatus } from "./connector-status.ts";
import { meterValue } from "./meter-values.ts";
import { standingOf } from "./token-words.ts";

/** What a station of family 2 is delivered with, apart from the defaults. */
export function family2Settings(): Partial<Settings> {
  return {};
}

/** Speaks OCPP 2.0.1 and 2.1: written in the words of 2.1 that 2.0.1 has too; what only 2.1 has asks for the version. */
export class Family2Driver implements Driver {
  readonly station: ChargingStation;
  readonly version: Family2Version;
  readonly identity: StationIdentity;
  readonly stationId: string;
  /** Security profile in use: 1 without TLS, 2 with it, 3 with an own certificate. */
  readonly securityProfile: number;
  readonly log: TransferReports;
  readonly firmware: TransferReports;
  #eventId = 0;

  constructor(
    station: ChargingStation,
    version: Family2Version,
    identity: StationIdentity,
    access: { readonly stationId: string; readonly securityProfile: number },
  ) {
    this.station = station;
    this.version = version;
    this.identity = identity;
    this.stationId = access.stationId;
    this.securityProfile = access.securityProfile;
    this.log = new TransferReports(station.clock, (status, requestId) =>
      this.reportTransfer("LogStatusNotification", status, requestId),
    );
    this.firmware = new TransferReports(station.clock, (status, requestId) =>
      this.reportTransfer("FirmwareStatusNotification", status, requestId),
    );
  }

  /** What variables look at. */
  get modelContext(): ModelContext {
    const { station } = this;
    return {
      store: station.configuration,
      version: this.version,
      stationId: this.stationId,
      identity: this.identity,
      securityProfile: this.securityProfile,
      stationTime: () => station.stationTime(),
      stationOperative: station.operative,
      localListEntries: station.authorization.list.size,
      profileEntries: station.profiles.installed.length,
      changePassword: (password) => station.changePassword({ text: password }),
      evses: station.sessions.map((session) => ({
        id: session.evse.id,
        kind: session.evse.supply.kind,
        phases: session.evse.supply.phases,
        maxPowerW: session.evse.supply.maxPowerW,
        powerW: session.evse.values.powerW,
        availabilityState: this.statusOf(session),
      })),
    };
  }

  /** Sends a request. @throws as {@link ChargingStation.call} */
  async call<A extends CallsFrom<"2.1", "ChargingStation">>(
    action: A,
    payload: RequestOf<"2.1", A>,
  ): Promise<ResponseOf<"2.1", A>> {
    return (await this.station.call(action, payload)) as ResponseOf<"2.1", A>;
  }

  async answer(action: string, payload: unknown): Promise<unknown> {
    const known = catalogue(this.version).has(action);
    if (known && this.station.registration.status === "Rejected") {
      // B03.FR.08: a CSMS that rejected the station has nothing to ask.
      throw new OcppError("SecurityError", "the station was rejected");
    }
    const answer = known ? (family2Calls as Readonly<Record<string, unknown>>)[action] : undefined;
    if (typeof answer !== "function") {
      throw new OcppError(known ? "NotSupported" : "NotImplemented", `${action} is not offered`);
    }
    return answer(this, payload);
  }

  async boot(reason: BootReason): Promise<BootAnswer> {
    const { vendorName, model, serialNumber, firmwareVersion } = this.identity;
    const response = await this.call("BootNotification", {
      reason,
      chargingStation: { vendorName, model, serialNumber, firmwareVersion },
    });
    return bootAnswer(response);
  }

  async heartbeat(): Promise<number> {
    const { currentTime } = await this.call("Heartbeat", {});
    return Date.parse(currentTime);
  }

  async authorize(token: IdToken): Promise<TokenStanding> {
    const { idTokenInfo } = await this.call("Authorize", { idToken: token });
    return standingOf(idTokenInfo);
  }

  statusOf(session: Session): string {
    return connectorStatus(session, this.station.operative);
  }

  async sendStatus(session: Session): Promise<void> {
    const status = connectorStatus(session, this.station.operative);
    if (this.station.settings.statusByNotifyEvent) return this.#notifyAvailability(session, status);
    await this.call("StatusNotification", {
      timestamp: this.now(),
      connectorStatus: status,
      evseId: session.evse.id,
      connectorId: 1,
    });
  }

  /** G01: the connector's AvailabilityState as an event. */
  async #notifyAvailability(session: Session, status: string): Promise<void> {
    await this.call("NotifyEvent", {
      generatedAt: this.now(),
      seqNo: 0,
      eventData: [
        {
          eventId: this.#eventId++,
          timestamp: this.now(),
          trigger: "Delta",
          actualValue: status,
          eventNotificationType: "HardWiredNotification",
          component: { name: "Connector", evse: { id: session.evse.id, connectorId: 1 } },
          variable: { name: "AvailabilityState" },
        },
      ],
    });
  }

  async sendStationStatus(): Promise<void> {
    // Family 2 reports connectors only.
  }

  async sendStartup(): Promise<void> {
    // A04: a start is a critical security event.
    await this.call("SecurityEventNotification", { type: "StartupOfTheDevice", timestamp: this.now() });
  }

  async sendMeterValues(evseId: number, sample: MeterSample): Promise<void> {
    await this.call("MeterValues", { evseId, meterValue: [meterValue(sample)] });
  }

  messagesOf(event: TransactionEvent): readonly TransactionMessage[] {
    return [
      {
        action: "TransactionEvent",
        payload: this.#requestOf(event),
        transactionId: event.transactionId,
        eventType: event.eventType,
        offline: event.offline,
      },
    ];
  }

  #requestOf(event: TransactionEvent): Ocpp21.TransactionEventRequest {
    const { eventType, triggerReason, seqNo, transactionId, chargingState, evseId, samples } = event;
    const { stoppedReason, remoteStartId, token, reservationId, numberOfPhasesUsed } = event;
    return {
      eventType,
      timestamp: new Date(event.at).toISOString(),
      triggerReason,
      seqNo,
      transactionInfo: {
        transactionId,
        chargingState,
        timeSpentCharging: event.timeSpentChargingS,
        ...(stoppedReason === undefined ? {} : { stoppedReason }),
        ...(remoteStartId === undefined ? {} : { remoteStartId }),
      },
      // E01.FR.16: the connector is told once, with the first event after the vehicle was connected.
      ...(event.connectorKnown ? { evse: { id: evseId, connectorId: 1 } } : {}),
      ...(!event.connectorKnown && eventType === "Started" ? { evse: { id: evseId } } : {}),
      ...(token === undefined ? {} : { idToken: token }),
      ...(reservationId === undefined ? {} : { reservationId }),
      ...(numberOfPhasesUsed === undefined ? {} : { numberOfPhasesUsed }),
      ...(samples.length === 0 ? {} : { meterValue: samples.map(meterValue) }),
    };
  }

  async deliver(message: TransactionMessage, sent: (payload: unknown) => void): Promise<unknown> {
    const payload = message.offline ? { ...(message.payload as object), offline: true } : message.payload;
    sent(payload);
    return this.station.call(message.action, payload);
  }

  acknowledged(message: TransactionMessage, response: unknown): void {
    const { idTokenInfo } = (response ?? {}) as Ocpp21.TransactionEventResponse;
    const { idToken } = message.payload as Ocpp21.TransactionEventRequest;
    if (idTokenInfo === undefined || idToken === undefined) return;
    const standing = standingOf(idTokenInfo);
    this.station.authorization.remember(idToken, standing);
    this.station.sessionOf(message.transactionId)?.standingReceived(message.transactionId, idToken, standing);
  }

  discarded(): void {
    // Nothing is kept per transaction.
  }

  reservationEnded(reservation: Reservation, how: "Expired" | "Removed"): void {
    this.call("ReservationStatusUpdate", {
      reservationId: reservation.id,
      reservationUpdateStatus: how,
    }).catch(() => {});
  }

  halt(): void {
    this.log.halt();
    this.firmware.halt();
  }

  /** The station's time as messages have it. */
  now(): string {
    return new Date(this.station.stationTime()).toISOString();
  }

  /** Reports a step of an upload or download. */
  reportTransfer(
    action: "FirmwareStatusNotification" | "LogStatusNotification",
    status: string,
    requestId: number | undefined,
  ): void {
    const payload = { status, ...(requestId === undefined ? {} : { requestId }) };
    this.station.call(action, payload).catch(() => {});
  }
}
