import { catalogue, definitionsOf, type JsonSchema, type OcppVersion } from "@polyphase/ocpp";

/**
 * A request of a 2.0.1 station as 2.1 demands it. Everything 2.0.1 can say is valid 2.1 but for one field that 2.1
 * made mandatory: NotifyMonitoringReport's eventNotificationType. 2.0.1 does not tell how a monitor came to be, and
 * "CustomMonitor" is the kind that a CSMS may clear, so nothing is withheld from the operator.
 */
export function requestTo21(version: OcppVersion, action: string, payload: unknown): unknown {
  if (version !== "2.0.1" || action !== "NotifyMonitoringReport") return payload;
  const report = payload as MonitoringReport;
  if (report.monitor === undefined) return payload;
  return {
    ...report,
    monitor: report.monitor.map((item) => ({
      ...item,
      variableMonitoring: item.variableMonitoring.map((monitoring) => ({
        eventNotificationType: "CustomMonitor",
        ...monitoring,
      })),
    })),
  };
}

interface MonitoringReport {
  readonly monitor?: ReadonlyArray<{ readonly variableMonitoring: ReadonlyArray<object> }>;
}

/** Values that 2.1 adds, and what a 2.0.1 station is told instead. */
const nearestValues: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  NotifyEVChargingNeedsStatusEnumType: { NoChargingProfile: "Rejected" },
  MessageFormatEnumType: { QRCODE: "URI" },
};

/**
 * A 2.1 response as a 2.0.1 station understands it: fields that 2.0.1 lacks are left out, values it lacks become the
 * nearest it has. What cannot be said at all is left for the validation of the response to refuse.
 */
export function responseFrom21(version: OcppVersion, action: string, payload: unknown): unknown {
  if (version !== "2.0.1") return payload;
  const entry = catalogue("2.0.1").get(action);
  if (entry === undefined || entry.responseSchema === undefined) return payload;
  // Nearly every response is valid as it is, and the check is far cheaper than the walk.
  if (entry.validateResponse(payload) === undefined) return payload;
  return project(payload, entry.responseSchema, undefined);
}

/** Types of tokens that 2.0.1 lists; 2.1 leaves the list open. */
const centralToken = "Central";

function project(value: unknown, schema: JsonSchema, typeName: string | undefined): unknown {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.slice(schema.$ref.lastIndexOf("/") + 1);
    const definition = definitionsOf("2.0.1")[name];
    return definition === undefined ? value : project(value, definition, name);
  }
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined) return value;
    return value.slice(0, schema.maxItems).map((item) => project(item, items, undefined));
  }
  if (typeof value === "object" && value !== null) return projectObject(value, schema);
  if (typeof value === "string" && schema.enum !== undefined && !schema.enum.includes(value)) {
    return nearestValue(value, typeName);
  }
  return value;
}

function projectObject(value: object, schema: JsonSchema): unknown {
  const known = schema.properties ?? {};
  const kept: Record<string, unknown> = {};
  for (const [name, item] of Object.entries(value)) {
    const property = known[name];
    if (property !== undefined) kept[name] = project(item, property, undefined);
  }
  return kept;
}

function nearestValue(value: string, typeName: string | undefined): string {
  if (typeName === "IdTokenEnumType") return centralToken;
  return (typeName === undefined ? undefined : nearestValues[typeName]?.[value]) ?? value;
}
