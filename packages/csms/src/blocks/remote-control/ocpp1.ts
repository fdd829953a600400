import type { Ocpp16, Ocpp21 } from "@polyphase/ocpp";
import type { CommandRegistry } from "../../gateway/commands.ts";
import {
  CommandNotSupportedError,
  StationAnsweredError,
  type StationCallOptions,
  type StationCalls,
} from "../../gateway/station-messages.ts";
import { chargingProfileOfFamily1 } from "../smart-charging/index.ts";

/** Longest idTag of 1.x (1.6 §7.28, IdToken: CiString20). */
const MAX_ID_TAG_LENGTH = 20;
const MAX_TRANSACTION_ID = 2 ** 31 - 1;

/** Translates the commands of block F for family 1 (1.6 §5.11, §5.12, §5.17, §5.18; whitepaper §4.4.3). */
export function translateFamily1(commands: CommandRegistry, calls: StationCalls): void {
  commands.translate("RequestStartTransaction", async (stationId, request, options) => {
    const payload = remoteStart(stationId, request);
    const { status } = await calls.call1(stationId, "RemoteStartTransaction", payload, options);
    return { status };
  });

  commands.translate("RequestStopTransaction", async (stationId, request, options) => {
    const transactionId = transactionIdOfFamily1(request.transactionId);
    if (transactionId === undefined) return { status: "Rejected", statusInfo: { reasonCode: "TxNotFound" } };
    const { status } = await calls.call1(stationId, "RemoteStopTransaction", { transactionId }, options);
    return { status };
  });

  commands.translate("UnlockConnector", async (stationId, request, options) => {
    if (request.connectorId !== 1) return { status: "UnknownConnector" };
    const { status } = await calls.call1(stationId, "UnlockConnector", { connectorId: request.evseId }, options);
    if (status !== "NotSupported") return { status };
    // 1.6 §7.46: no lock, or no such connector; 2.1 has no status that says so.
    return { status: "UnlockFailed", statusInfo: { reasonCode: "UnsupportedRequest" } };
  });

  commands.translate("TriggerMessage", (stationId, request, options) => trigger(calls, stationId, request, options));
}

function remoteStart(
  stationId: string,
  request: Ocpp21.RequestStartTransactionRequest,
): Ocpp16.RemoteStartTransactionRequest {
  const { idToken, evseId, chargingProfile } = request;
  if (idToken.idToken.length > MAX_ID_TAG_LENGTH || idToken.idToken === "") {
    const why = `an idTag of OCPP 1.x has 1 to ${MAX_ID_TAG_LENGTH} characters`;
    throw new CommandNotSupportedError(stationId, "requestStartTransaction", why);
  }
  return {
    idTag: idToken.idToken,
    ...(evseId === undefined ? {} : { connectorId: evseId }),
    ...(chargingProfile === undefined
      ? {}
      : { chargingProfile: chargingProfileOfFamily1(stationId, "requestStartTransaction", chargingProfile) }),
  };
}

/** The number that a transaction has in family 1, or undefined when none can have this id. */
export function transactionIdOfFamily1(transactionId: string): number | undefined {
  if (!/^-?\d{1,10}$/.test(transactionId)) return undefined;
  const number = Number(transactionId);
  return Math.abs(number) <= MAX_TRANSACTION_ID ? number : undefined;
}

/** Messages that every trigger of 1.6 knows. */
const coreTriggers = {
  BootNotification: "BootNotification",
  FirmwareStatusNotification: "FirmwareStatusNotification",
  Heartbeat: "Heartbeat",
  MeterValues: "MeterValues",
  StatusNotification: "StatusNotification",
} as const satisfies { readonly [Trigger in Ocpp21.MessageTriggerEnumType]?: Ocpp16.MessageTrigger };

/** Messages that only the trigger of the security extension knows. */
const securityTriggers = {
  LogStatusNotification: "LogStatusNotification",
  SignChargingStationCertificate: "SignChargePointCertificate",
} as const satisfies { readonly [Trigger in Ocpp21.MessageTriggerEnumType]?: Ocpp16.MessageTriggerEnumType };

const isIn = <Table extends object>(table: Table, name: PropertyKey): name is keyof Table => Object.hasOwn(table, name);

async function trigger(
  calls: StationCalls,
  stationId: string,
  request: Ocpp21.TriggerMessageRequest,
  options: StationCallOptions,
): Promise<Ocpp21.TriggerMessageResponse> {
  const { requestedMessage, evse } = request;
  if ((evse?.connectorId ?? 1) !== 1) {
    throw new CommandNotSupportedError(stationId, "triggerMessage", "each EVSE has one connector, number 1");
  }
  // 1.6 §6.51: a connector id is above 0; the whole station is asked by leaving it out.
  const connector = evse === undefined || evse.id === 0 ? {} : { connectorId: evse.id };
  if (isIn(coreTriggers, requestedMessage)) {
    const payload = { requestedMessage: coreTriggers[requestedMessage], ...connector };
    return { status: (await calls.call1(stationId, "TriggerMessage", payload, options)).status };
  }
  if (!isIn(securityTriggers, requestedMessage)) {
    throw new CommandNotSupportedError(stationId, "triggerMessage", `OCPP 1.x cannot trigger ${requestedMessage}`);
  }
  const payload = { requestedMessage: securityTriggers[requestedMessage], ...connector };
  try {
    return { status: (await calls.call1(stationId, "ExtendedTriggerMessage", payload, options)).status };
  } catch (error) {
    const lacksExtension =
      error instanceof StationAnsweredError && (error.code === "NotImplemented" || error.code === "NotSupported");
    if (!lacksExtension) throw error;
    if (requestedMessage !== "LogStatusNotification") return { status: "NotImplemented" };
    // Without the security extension the log is the diagnostics file.
    const core = { requestedMessage: "DiagnosticsStatusNotification", ...connector } as const;
    return { status: (await calls.call1(stationId, "TriggerMessage", core, options)).status };
  }
}
