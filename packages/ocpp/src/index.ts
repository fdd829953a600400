export { type CatalogueEntry, catalogue, definitionsOf, type JsonSchema } from "./catalogue/catalogue.ts";
export type {
  ActionOf,
  CallsFrom,
  Messages,
  Peer,
  RequestOf,
  ResponseOf,
  SendsFrom,
} from "./catalogue/messages.ts";
export { type OcppVersion, ocppVersions, type Role } from "./catalogue/version.ts";
export type * from "./connection.ts";
export { type EndpointTolerance, endpointTolerances } from "./endpoint/tolerances.ts";
export * from "./error-codes.ts";
export * from "./errors.ts";
export type * as Ocpp12 from "./generated/types-1.2.ts";
export type * as Ocpp15 from "./generated/types-1.5.ts";
export type * as Ocpp16 from "./generated/types-1.6.ts";
export type * as Ocpp201 from "./generated/types-2.0.1.ts";
export type * as Ocpp21 from "./generated/types-2.1.ts";
export * from "./json/index.ts";
export * from "./soap/index.ts";
export { isDateTime } from "./validation/runtime.ts";
export { describeViolation, type ValueKind, type Violation } from "./validation/violation.ts";
