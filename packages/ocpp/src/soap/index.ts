export { type XmlCodec, xmlCodec } from "./codec.ts";
export type { SoapCredentials, SoapDecision } from "./http-request.ts";
export { SoapConnection, type SoapDisconnection } from "./soap-connection.ts";
export { SoapCsms, type SoapCsmsOptions } from "./soap-csms.ts";
export type { SoapOptions } from "./soap-options.ts";
export { SoapStation, type SoapStationOptions } from "./soap-station.ts";
export { namespaceOf, type SoapService, type SoapVersion, soapVersions } from "./soap-version.ts";
export type { AcceptedRequest, SoapPeer } from "./station-registry.ts";
export { describeService } from "./wsdl.ts";
