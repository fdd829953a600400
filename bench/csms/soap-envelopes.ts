/** The versions of OCPP-S that are measured. */
export type SoapLoadVersion = "1.5" | "1.6";

const namespaces: Readonly<Record<SoapLoadVersion, string>> = {
  "1.5": "urn://Ocpp/Cs/2012/06/",
  "1.6": "urn://Ocpp/Cs/2015/10/",
};

/** A request with all the headers that OCPP-S 1.6 §3 asks for. `body` is what is inside the request element. */
export function envelope(
  version: SoapLoadVersion,
  identity: string,
  action: string,
  messageId: string,
  body: string,
): string {
  const element = `${action[0]?.toLowerCase()}${action.slice(1)}Request`;
  return (
    '<?xml version="1.0" encoding="UTF-8"?>' +
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://www.w3.org/2005/08/addressing" ' +
    `xmlns:o="${namespaces[version]}"><s:Header>` +
    `<o:chargeBoxIdentity s:mustUnderstand="true">${identity}</o:chargeBoxIdentity>` +
    `<a:Action s:mustUnderstand="true">/${action}</a:Action><a:MessageID>${messageId}</a:MessageID>` +
    // Nothing listens at the discard port: the station cannot be called, and is not.
    "<a:From><a:Address>http://127.0.0.1:9/</a:Address></a:From>" +
    '<a:ReplyTo s:mustUnderstand="true"><a:Address>http://www.w3.org/2005/08/addressing/anonymous</a:Address></a:ReplyTo>' +
    '<a:To s:mustUnderstand="true">http://127.0.0.1/ocpp/soap</a:To></s:Header>' +
    `<s:Body><o:${element}>${body}</o:${element}></s:Body></s:Envelope>`
  );
}

/** What is inside a BootNotification. */
export const bootBody = "<o:chargePointVendor>Bench</o:chargePointVendor><o:chargePointModel>B</o:chargePointModel>";

/** What is inside a StartTransaction. */
export function startBody(): string {
  const timestamp = new Date().toISOString();
  return `<o:connectorId>1</o:connectorId><o:idTag>BENCH</o:idTag><o:timestamp>${timestamp}</o:timestamp><o:meterStart>1000</o:meterStart>`;
}

/** What is inside a StatusNotification that tells of a free connector. */
export function statusBody(connectorId: number): string {
  const timestamp = new Date().toISOString();
  return (
    `<o:connectorId>${connectorId}</o:connectorId><o:status>Available</o:status><o:errorCode>NoError</o:errorCode>` +
    `<o:timestamp>${timestamp}</o:timestamp>`
  );
}

const sampled = (
  seqNo: number,
): ReadonlyArray<readonly [value: string, measurand: string, units: [string, string]]> => [
  [String(1_000 + seqNo * 7), "Energy.Active.Import.Register", ["Wh", "Wh"]],
  ["11040.5", "Power.Active.Import", ["W", "W"]],
  ["16.02", "Current.Import", ["Amp", "A"]],
];

/** What is inside a MeterValues of three sampled values. */
export function meterBody(version: SoapLoadVersion, transactionId: number, seqNo: number): string {
  const head = `<o:connectorId>1</o:connectorId><o:transactionId>${transactionId}</o:transactionId>`;
  const timestamp = `<o:timestamp>${new Date().toISOString()}</o:timestamp>`;
  if (version === "1.5") {
    const values = sampled(seqNo).map(
      ([value, measurand, [unit]]) => `<o:value measurand="${measurand}" unit="${unit}">${value}</o:value>`,
    );
    return `${head}<o:values>${timestamp}${values.join("")}</o:values>`;
  }
  const values = sampled(seqNo).map(
    ([value, measurand, [, unit]]) =>
      `<o:sampledValue><o:value>${value}</o:value><o:measurand>${measurand}</o:measurand><o:unit>${unit}</o:unit></o:sampledValue>`,
  );
  return `${head}<o:meterValue>${timestamp}${values.join("")}</o:meterValue>`;
}
