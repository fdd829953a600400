import { type CatalogueEntry, catalogue, definitionsOf } from "../catalogue/catalogue.ts";
import type { Role } from "../catalogue/version.ts";
import { type XmlCodec, xmlCodec } from "./codec.ts";

/** The OCPP versions that have a SOAP form, oldest first. */
export const soapVersions = ["1.2", "1.5", "1.6"] as const;

/** An OCPP version that has a SOAP form. */
export type SoapVersion = (typeof soapVersions)[number];

/**
 * One of the two services of OCPP-S, named as its WSDL names it: the CSMS offers CentralSystemService, a
 * ChargingStation offers ChargePointService.
 */
export type SoapService = "CentralSystemService" | "ChargePointService";

const NAMESPACES: Readonly<Record<SoapVersion, Readonly<Record<SoapService, string>>>> = {
  "1.2": { CentralSystemService: "urn://Ocpp/Cs/2010/08/", ChargePointService: "urn://Ocpp/Cp/2010/08/" },
  "1.5": { CentralSystemService: "urn://Ocpp/Cs/2012/06/", ChargePointService: "urn://Ocpp/Cp/2012/06/" },
  "1.6": { CentralSystemService: "urn://Ocpp/Cs/2015/10/", ChargePointService: "urn://Ocpp/Cp/2015/10/" },
};

const SERVICES: readonly SoapService[] = ["CentralSystemService", "ChargePointService"];

/** The XML namespace of a version's service. */
export function namespaceOf(version: SoapVersion, service: SoapService): string {
  return NAMESPACES[version][service];
}

/** The service that a role offers to the other. */
export function serviceOf(role: Role): SoapService {
  return role === "CSMS" ? "CentralSystemService" : "ChargePointService";
}

const SERVICE_BY_NAMESPACE: ReadonlyMap<string, { readonly version: SoapVersion; readonly service: SoapService }> =
  new Map(
    soapVersions.flatMap((version) =>
      SERVICES.flatMap((service) => {
        const namespace = namespaceOf(version, service);
        // Table 2 of the OCPP-S 1.6 text prints the namespaces of 1.6 without their last slash, the WSDL with it.
        return [namespace, namespace.slice(0, -1)].map((key) => [key, { version, service }] as const);
      }),
    ),
  );

/** What an XML namespace stands for, or undefined when it is none of OCPP's. */
export function findService(
  namespace: string,
): { readonly version: SoapVersion; readonly service: SoapService } | undefined {
  return SERVICE_BY_NAMESPACE.get(namespace);
}

/** An action of a service with the XML form of its two messages. */
export interface Operation {
  readonly entry: CatalogueEntry;
  readonly namespace: string;
  /** Name of the body element of the request: the action in lower camel case with `Request`. */
  readonly requestElement: string;
  readonly responseElement: string;
  readonly request: XmlCodec;
  readonly response: XmlCodec;
}

class LazyOperation implements Operation {
  readonly entry: CatalogueEntry;
  readonly namespace: string;
  readonly requestElement: string;
  readonly responseElement: string;
  #request: XmlCodec | undefined;
  #response: XmlCodec | undefined;

  constructor(entry: CatalogueEntry, namespace: string) {
    this.entry = entry;
    this.namespace = namespace;
    const lowerCamel = entry.action.charAt(0).toLowerCase() + entry.action.slice(1);
    this.requestElement = `${lowerCamel}Request`;
    this.responseElement = `${lowerCamel}Response`;
  }

  get request(): XmlCodec {
    this.#request ??= xmlCodec(this.entry.requestSchema, definitionsOf(this.entry.version));
    return this.#request;
  }

  get response(): XmlCodec {
    this.#response ??= xmlCodec(this.entry.responseSchema ?? {}, definitionsOf(this.entry.version));
    return this.#response;
  }
}

function operationsFor(version: SoapVersion, service: SoapService): ReadonlyMap<string, Operation> {
  const caller: Role = service === "CentralSystemService" ? "ChargingStation" : "CSMS";
  const namespace = namespaceOf(version, service);
  const operations = new Map<string, Operation>();
  for (const entry of catalogue(version).values()) {
    // The security extension of 1.6 has no WSDL: it is JSON only.
    if (entry.securityExtension || (entry.from !== caller && entry.from !== "Both")) continue;
    operations.set(entry.action, new LazyOperation(entry, namespace));
  }
  return operations;
}

interface ServiceOperations {
  readonly byAction: ReadonlyMap<string, Operation>;
  readonly byElement: ReadonlyMap<string, Operation>;
}

const cache = new Map<string, ServiceOperations>();

function serviceOperations(version: SoapVersion, service: SoapService): ServiceOperations {
  const key = namespaceOf(version, service);
  let operations = cache.get(key);
  if (operations === undefined) {
    const byAction = operationsFor(version, service);
    const byElement = new Map([...byAction.values()].map((operation) => [operation.requestElement, operation]));
    operations = { byAction, byElement };
    cache.set(key, operations);
  }
  return operations;
}

/** Every operation of a version's service by action, in the catalogue's order. */
export function operationsOf(version: SoapVersion, service: SoapService): ReadonlyMap<string, Operation> {
  return serviceOperations(version, service).byAction;
}

/** The operation whose request has this body element, or undefined. */
export function findOperation(version: SoapVersion, service: SoapService, element: string): Operation | undefined {
  return serviceOperations(version, service).byElement.get(element);
}
