import { type CallsFrom, catalogue, type Ocpp16, OcppError, type RequestOf, type ResponseOf } from "@polyphase/ocpp";
import type { IdToken, TokenStanding } from "../authorization/id-token.ts";
import type { ChargingStation } from "../charging-station.ts";
import { type Family1Version, type KeyContext, measurandsOf } from "../configuration/configuration-keys.ts";
import { defaultSettings, type Settings } from "../configuration/settings.ts";
import type { Driver } from "../driver.ts";
import { TransferReports } from "../firmware/transfer-reports.ts";
import type { StationIdentity } from "../identity.ts";
import type { MeterSample } from "../metering/meter-sample.ts";
import { type BootAnswer, bootAnswer } from "../provisioning/registration.ts";
import type { TransactionMessage } from "../transactions/offline-queue.ts";
import type { Session } from "../transactions/session.ts";
import type { TransactionEvent } from "../transactions/transaction-event.ts";
import { family1Calls } from "./calls.ts";
import { connectorStatus } from "./connector-status.ts";
import {
  knowsTransferStatus,
  requestFromWire,
  requestToWire,
  responseFromWire,
  responseToWire,
  statusIn,
} from "./dialect.ts";
import { standingOf, tokenOf } from "./id-tag.ts";
import { meterValue } from "./meter-values.ts";
import { stopReason } from "./stop-reason.ts";

/** The id of a transaction whose StartTransaction could not be delivered (OCPP 1.6 errata §3.18). */
const UNKNOWN_TRANSACTION = -1;

/** What a station of family 1 is delivered with: transactions run from the closed power path to the stop. */
export function family1Settings(version: Family1Version): Partial<Settings> {
  const defaults = defaultSettings();
  const words = measurandsOf(version);
  return {
    txStartPoint: ["PowerPathClosed"],
    txStopPoint: ["Authorized"],
    txStartedMeasurands: [],
    txUpdatedMeasurands: defaults.txUpdatedMeasurands.filter((measurand) => words.includes(measurand)),
    txEndedMeasurands: [],
    txEndedIntervalS: defaults.txUpdatedIntervalS,
    alignedTxEndedIntervalS: defaults.alignedIntervalS,
  };
}

/** Speaks OCPP 1.2, 1.5 and 1.6: written in the words of 1.6, translated at the wire. */
export class Family1Driver implements Driver {
  readonly station: ChargingStation;
  readonly version: Family1Version;
  readonly identity: StationIdentity;
  readonly diagnostics: TransferReports;
  readonly firmware: TransferReports;
  readonly log: TransferReports;
  readonly signedFirmware: TransferReports;
  /** Ids that the CSMS gave to transactions, by our own. */
  readonly #remoteIds = new Map<string, number>();

  constructor(station: ChargingStation, version: Family1Version, identity: StationIdentity) {
    this.station = station;
    this.version = version;
    this.identity = identity;
    for (const key of station.journal.keys("remote/")) {
      this.#remoteIds.set(key.slice("remote/".length), station.journal.get(key) as number);
    }
    const reports = (action: CallsFrom<"1.6", "ChargingStation">) =>
      new TransferReports(station.clock, (status, requestId) => this.reportTransfer(action, status, requestId));
    this.diagnostics = reports("DiagnosticsStatusNotification");
    this.firmware = reports("FirmwareStatusNotification");
    this.log = reports("LogStatusNotification");
    this.signedFirmware = reports("SignedFirmwareStatusNotification");
  }

  /** What configuration keys look at. */
  get keyContext(): KeyContext {
    const { configuration, sessions } = this.station;
    return {
      store: configuration,
      version: this.version,
      connectors: sessions.length,
      changeAuthorizationKey: (hex) => this.station.changePassword({ hex }),
    };
  }

  /** Sends a request in the words of 1.6. @throws as {@link ChargingStation.call} */
  async call<A extends CallsFrom<"1.6", "ChargingStation">>(
    action: A,
    payload: RequestOf<"1.6", A>,
  ): Promise<ResponseOf<"1.6", A>> {
    const response = await this.station.call(action, requestToWire(this.version, action, payload));
    return responseFromWire(this.version, action, response) as ResponseOf<"1.6", A>;
  }

  async answer(action: string, payload: unknown): Promise<unknown> {
    const known = catalogue(this.version).has(action);
    const answer = known ? (family1Calls as Readonly<Record<string, unknown>>)[action] : undefined;
    if (typeof answer !== "function") {
      throw new OcppError(known ? "NotSupported" : "NotImplemented", `${action} is not offered`);
    }
    const response: unknown = await answer(this, requestFromWire(this.version, action, payload));
    return responseToWire(this.version, action, response);
  }

  async boot(): Promise<BootAnswer> {
    const { vendorName, model, serialNumber, firmwareVersion, meterType } = this.identity;
    const response = await this.call("BootNotification", {
      chargePointVendor: vendorName,
      chargePointModel: model,
      chargePointSerialNumber: serialNumber,
      firmwareVersion,
      meterType,
    });
    return bootAnswer(response);
  }

  async heartbeat(): Promise<number> {
    const { currentTime } = await this.call("Heartbeat", {});
    return Date.parse(currentTime);
  }

  async authorize(token: IdToken): Promise<TokenStanding> {
    const { idTagInfo } = await this.call("Authorize", { idTag: token.idToken });
    return standingOf(idTagInfo);
  }

  statusOf(session: Session): string {
    return statusIn(this.version, connectorStatus(session, this.station.operative));
  }

  async sendStatus(session: Session): Promise<void> {
    const { fault } = session.evse;
    await this.call("StatusNotification", {
      connectorId: session.evse.id,
      status: connectorStatus(session, this.station.operative),
      errorCode: fault?.errorCode ?? "NoError",
      timestamp: new Date(this.station.stationTime()).toISOString(),
      ...(fault?.info === undefined ? {} : { info: fault.info }),
      ...(fault?.vendorErrorCode === undefined ? {} : { vendorErrorCode: fault.vendorErrorCode }),
    });
  }

  async sendStationStatus(): Promise<void> {
    await this.call("StatusNotification", {
      connectorId: 0,
      status: this.station.operative ? "Available" : "Unavailable",
      errorCode: "NoError",
      timestamp: new Date(this.station.stationTime()).toISOString(),
    });
  }

  async sendStartup(): Promise<void> {
    // BootNotification has told it.
  }

  async sendMeterValues(evseId: number, sample: MeterSample): Promise<void> {
    await this.call("MeterValues", { connectorId: evseId, meterValue: [meterValue(sample)] });
  }

  messagesOf(event: TransactionEvent): readonly TransactionMessage[] {
    const message = (action: string, payload: unknown): TransactionMessage => ({
      action,
      payload,
      transactionId: event.transactionId,
      eventType: event.eventType,
      offline: event.offline,
    });
    switch (event.eventType) {
      case "Started":
        return [message("StartTransaction", this.#startOf(event))];
      case "Updated": {
        const { samples, evseId } = event;
        if (samples.length === 0) return [];
        return [message("MeterValues", { connectorId: evseId, meterValue: samples.map(meterValue) })];
      }
      case "Ended":
        return [message("StopTransaction", this.#stopOf(event))];
    }
  }

  #startOf(event: TransactionEvent): Ocpp16.StartTransactionRequest {
    return {
      connectorId: event.evseId,
      idTag: event.token?.idToken ?? "",
      meterStart: event.meterWh,
      timestamp: new Date(event.at).toISOString(),
      ...(event.reservationId === undefined ? {} : { reservationId: event.reservationId }),
    };
  }

  #stopOf(event: TransactionEvent): Omit<Ocpp16.StopTransactionRequest, "transactionId"> {
    const reason = stopReason(event);
    return {
      meterStop: event.meterWh,
      timestamp: new Date(event.at).toISOString(),
      ...(event.token === undefined ? {} : { idTag: event.token.idToken }),
      ...(reason === undefined ? {} : { reason }),
      ...(event.samples.length === 0 ? {} : { transactionData: event.samples.map(meterValue) }),
    };
  }

  async deliver(message: TransactionMessage, sent: (payload: unknown) => void): Promise<unknown> {
    const { action, transactionId } = message;
    const payload =
      action === "StartTransaction"
        ? message.payload
        : {
            ...(message.payload as object),
            transactionId: this.#remoteIds.get(transactionId) ?? UNKNOWN_TRANSACTION,
          };
    const request = requestToWire(this.version, action, payload);
    sent(request);
    return responseFromWire(this.version, action, await this.station.call(action, request));
  }

  acknowledged(message: TransactionMessage, response: unknown): void {
    if (message.action === "StartTransaction") {
      const { transactionId, idTagInfo } = response as Ocpp16.StartTransactionResponse;
      this.#remoteIds.set(message.transactionId, transactionId);
      this.station.journal.write({ set: { [`remote/${message.transactionId}`]: transactionId } });
      this.#standingTold(message, (message.payload as Ocpp16.StartTransactionRequest).idTag, idTagInfo);
    }
    if (message.action === "StopTransaction") {
      const { idTagInfo } = (response ?? {}) as Ocpp16.StopTransactionResponse;
      const { idTag } = message.payload as Ocpp16.StopTransactionRequest;
      if (idTagInfo !== undefined && idTag !== undefined) this.#standingTold(message, idTag, idTagInfo);
      this.#forget(message.transactionId);
    }
  }

  #standingTold(message: TransactionMessage, idTag: string, info: Ocpp16.IdTagInfo): void {
    const token = tokenOf(idTag);
    const standing = standingOf(info);
    this.station.authorization.remember(token, standing);
    const session = this.station.sessionOf(message.transactionId);
    if (message.action === "StartTransaction") session?.standingReceived(message.transactionId, token, standing);
  }

  discarded(message: TransactionMessage): void {
    if (message.action === "StopTransaction") this.#forget(message.transactionId);
  }

  #forget(transactionId: string): void {
    this.#remoteIds.delete(transactionId);
    this.station.journal.write({ set: { [`remote/${transactionId}`]: null } });
  }

  /** The session whose transaction has this id at the CSMS. */
  sessionOfRemote(remoteId: number): Session | undefined {
    return this.station.sessions.find((session) => {
      const { transaction } = session;
      return transaction !== undefined && this.#remoteIds.get(transaction.id) === remoteId;
    });
  }

  reservationEnded(): void {
    // Family 1 has no message for it; the status of the connector tells.
  }

  halt(): void {
    for (const reports of [this.diagnostics, this.firmware, this.log, this.signedFirmware]) reports.halt();
  }

  /** Reports a step of an upload or download where the version has a word for it. */
  reportTransfer(action: CallsFrom<"1.6", "ChargingStation">, status: string, requestId: number | undefined): void {
    if (!knowsTransferStatus(this.version, status)) return;
    const payload = { status, ...(requestId === undefined ? {} : { requestId }) };
    this.station.call(action, payload).catch(() => {});
  }
}
