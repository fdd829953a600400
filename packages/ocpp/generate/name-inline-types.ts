import type { Schema } from "./schema-documents.ts";

/**
 * Names of the 1.6 WSDL for the types that the 1.6 JSON schemas write in place, by
 * `Message.property` or by property alone.
 */
const NAMES: Readonly<Record<string, string>> = {
  idTagInfo: "IdTagInfo",
  "IdTagInfo.status": "AuthorizationStatus",
  "BootNotificationResponse.status": "RegistrationStatus",
  "CancelReservationResponse.status": "CancelReservationStatus",
  "ClearCacheResponse.status": "ClearCacheStatus",
  "GetCompositeScheduleResponse.status": "GetCompositeScheduleStatus",
  "RemoteStartTransactionResponse.status": "RemoteStartStopStatus",
  "RemoteStopTransactionResponse.status": "RemoteStartStopStatus",
  "ResetResponse.status": "ResetStatus",
  "ChangeAvailabilityRequest.type": "AvailabilityType",
  "ChangeAvailabilityResponse.status": "AvailabilityStatus",
  "ChangeConfigurationResponse.status": "ConfigurationStatus",
  chargingProfilePurpose: "ChargingProfilePurposeType",
  "ClearChargingProfileResponse.status": "ClearChargingProfileStatus",
  "DataTransferResponse.status": "DataTransferStatus",
  "DiagnosticsStatusNotificationRequest.status": "DiagnosticsStatus",
  "FirmwareStatusNotificationRequest.status": "FirmwareStatus",
  chargingRateUnit: "ChargingRateUnitType",
  chargingSchedule: "ChargingSchedule",
  chargingSchedulePeriod: "ChargingSchedulePeriod",
  configurationKey: "KeyValue",
  meterValue: "MeterValue",
  transactionData: "MeterValue",
  sampledValue: "SampledValue",
  context: "ReadingContext",
  format: "ValueFormat",
  measurand: "Measurand",
  phase: "Phase",
  location: "Location",
  unit: "UnitOfMeasure",
  chargingProfile: "ChargingProfile",
  csChargingProfiles: "ChargingProfile",
  chargingProfileKind: "ChargingProfileKindType",
  recurrencyKind: "RecurrencyKindType",
  "ReserveNowResponse.status": "ReservationStatus",
  "ResetRequest.type": "ResetType",
  localAuthorizationList: "AuthorizationData",
  "SendLocalListRequest.updateType": "UpdateType",
  "SendLocalListResponse.status": "UpdateStatus",
  "SetChargingProfileResponse.status": "ChargingProfileStatus",
  "StatusNotificationRequest.errorCode": "ChargePointErrorCode",
  "StatusNotificationRequest.status": "ChargePointStatus",
  "StopTransactionRequest.reason": "Reason",
  "TriggerMessageRequest.requestedMessage": "MessageTrigger",
  "TriggerMessageResponse.status": "TriggerMessageStatus",
  "UnlockConnectorResponse.status": "UnlockStatus",
};

/**
 * Moves the types that 1.6 schemas repeat in place into `definitions` under their specification names.
 *
 * @throws Error when a type has no name or when one name would stand for two different types.
 */
export function nameInlineTypes(definitions: Record<string, Schema>): void {
  const visit = (schema: Schema, owner: string, property: string): Schema => {
    if (schema.$ref !== undefined) return schema;
    if (schema.type === "array" && schema.items) {
      return { ...schema, items: visit(schema.items, owner, property) };
    }
    if (schema.type !== "object" && schema.enum === undefined) return schema;
    const name = NAMES[`${owner}.${property}`] ?? NAMES[property];
    if (name === undefined) throw new Error(`no name for the type of ${owner}.${property}`);
    const named = visitProperties(schema, name);
    const known = definitions[name];
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(named)) {
      throw new Error(`${name} would name two different types, the second in ${owner}.${property}`);
    }
    definitions[name] = named;
    return { $ref: `#/definitions/${name}` };
  };
  const visitProperties = (schema: Schema, owner: string): Schema => {
    if (schema.properties === undefined) return schema;
    const properties = Object.fromEntries(
      Object.entries(schema.properties).map(([name, property]) => [name, visit(property, owner, name)]),
    );
    return { ...schema, properties };
  };
  for (const [name, schema] of Object.entries(definitions)) {
    if (/(Request|Response)$/.test(name)) definitions[name] = visitProperties(schema, name);
  }
}
