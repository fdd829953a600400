import { definitionsOf, type JsonSchema } from "../catalogue/catalogue.ts";
import { namespaceOf, type Operation, operationsOf, type SoapService, type SoapVersion } from "./soap-version.ts";
import { escapeAttribute } from "./xml-writer.ts";

type Definitions = Readonly<Record<string, JsonSchema>>;

const REFERENCE = "#/definitions/";

/** The types that some messages refer to, the messages' own names first. */
function reachable(names: readonly string[], definitions: Definitions): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (schema: JsonSchema | undefined): void => {
    if (schema === undefined) return;
    if (schema.$ref !== undefined) add(schema.$ref.slice(REFERENCE.length));
    visit(schema.items);
    for (const property of Object.values(schema.properties ?? {})) visit(property);
  };
  const add = (name: string): void => {
    if (found.has(name)) return;
    found.add(name);
    visit(definitions[name]);
  };
  for (const name of names) add(name);
  return found;
}

function builtInType(schema: JsonSchema): string {
  switch (schema.type) {
    case "integer":
      return "xs:int";
    case "number":
      return "xs:decimal";
    case "boolean":
      return "xs:boolean";
    default:
      if (schema.format === "date-time") return "xs:dateTime";
      return schema.format === "uri" ? "xs:anyURI" : "xs:string";
  }
}

function facets(schema: JsonSchema): string {
  const values = (schema.enum ?? []).map((value) => `<xs:enumeration value="${escapeAttribute(value)}"/>`).join("");
  const length = schema.maxLength === undefined ? "" : `<xs:maxLength value="${schema.maxLength}"/>`;
  const { multipleOf } = schema;
  const digits = multipleOf === undefined ? "" : `<xs:fractionDigits value="${-Math.round(Math.log10(multipleOf))}"/>`;
  return values + length + digits;
}

function restriction(schema: JsonSchema): string {
  return `<xs:restriction base="${builtInType(schema)}">${facets(schema)}</xs:restriction>`;
}

/** An element or attribute of this type: a reference to a named type, a built-in one, or one written in place. */
function typed(tag: string, attributes: string, schema: JsonSchema): string {
  if (schema.$ref !== undefined) return `<${tag}${attributes} type="tns:${schema.$ref.slice(REFERENCE.length)}"/>`;
  if (facets(schema) === "") return `<${tag}${attributes} type="${builtInType(schema)}"/>`;
  return `<${tag}${attributes}><xs:simpleType>${restriction(schema)}</xs:simpleType></${tag}>`;
}

function complexType(name: string, schema: JsonSchema): string {
  const required = new Set(schema.required);
  const properties = Object.entries(schema.properties ?? {});
  const attributes = properties
    .filter(([, property]) => property.xml?.nodeType === "attribute")
    .map(([attribute, property]) => {
      const use = required.has(attribute) ? "required" : "optional";
      return typed("xs:attribute", ` name="${attribute}" use="${use}"`, property);
    })
    .join("");
  const text = properties.find(([, property]) => property.xml?.nodeType === "text")?.[1];
  if (text !== undefined) {
    const extension = `<xs:extension base="${builtInType(text)}">${attributes}</xs:extension>`;
    return `<xs:complexType name="${name}"><xs:simpleContent>${extension}</xs:simpleContent></xs:complexType>`;
  }
  const elements = properties
    .filter(([, property]) => property.xml?.nodeType !== "attribute")
    .map(([element, property]) => {
      const occurs = `minOccurs="${required.has(element) ? 1 : 0}" maxOccurs="${property.type === "array" ? "unbounded" : 1}"`;
      return typed("xs:element", ` name="${element}" ${occurs}`, property.items ?? property);
    })
    .join("");
  return `<xs:complexType name="${name}"><xs:sequence>${elements}</xs:sequence>${attributes}</xs:complexType>`;
}

function typesSection(operations: readonly Operation[], namespace: string, definitions: Definitions): string {
  const messages = operations.flatMap(({ entry }) => [`${entry.action}Request`, `${entry.action}Response`]);
  const types = [...reachable(messages, definitions)].map((name) => {
    const schema = definitions[name] ?? {};
    if (schema.type === "object") return complexType(name, schema);
    return `<xs:simpleType name="${name}">${restriction(schema)}</xs:simpleType>`;
  });
  const elements = operations.flatMap(({ entry, requestElement, responseElement }) => [
    `<xs:element name="${requestElement}" type="tns:${entry.action}Request"/>`,
    `<xs:element name="${responseElement}" type="tns:${entry.action}Response"/>`,
  ]);
  return (
    `<wsdl:types><xs:schema elementFormDefault="qualified" targetNamespace="${namespace}">` +
    `${types.join("")}<xs:element name="chargeBoxIdentity" type="xs:string"/>${elements.join("")}` +
    "</xs:schema></wsdl:types>"
  );
}

function messagesSection(operations: readonly Operation[]): string {
  const part = (message: string, name: string, element: string) =>
    `<wsdl:message name="${message}"><wsdl:part name="${name}" element="tns:${element}"/></wsdl:message>`;
  return (
    part("Header", "ChargeBoxIdentity", "chargeBoxIdentity") +
    operations
      .map(
        ({ entry, requestElement, responseElement }) =>
          part(`${entry.action}Input`, "parameters", requestElement) +
          part(`${entry.action}Output`, "parameters", responseElement),
      )
      .join("")
  );
}

function portType(service: SoapService, operations: readonly Operation[]): string {
  const rows = operations.map(
    ({ entry: { action } }) =>
      `<wsdl:operation name="${action}">` +
      `<wsdl:input message="tns:${action}Input" wsam:Action="/${action}" wsaw:Action="/${action}"/>` +
      `<wsdl:output message="tns:${action}Output" wsam:Action="/${action}Response" wsaw:Action="/${action}Response"/>` +
      "</wsdl:operation>",
  );
  return `<wsdl:portType name="${service}">${rows.join("")}</wsdl:portType>`;
}

function binding(service: SoapService, operations: readonly Operation[]): string {
  const rows = operations.map(
    ({ entry: { action } }) =>
      `<wsdl:operation name="${action}"><soap12:operation soapAction="/${action}" style="document"/>` +
      '<wsdl:input><soap12:header message="tns:Header" part="ChargeBoxIdentity" use="literal"/>' +
      '<soap12:body use="literal"/></wsdl:input><wsdl:output><soap12:body use="literal"/></wsdl:output></wsdl:operation>',
  );
  return (
    `<wsdl:binding name="${service}Soap" type="tns:${service}">` +
    '<soap12:binding transport="http://schemas.xmlsoap.org/soap/http"/><wsaw:UsingAddressing/>' +
    `${rows.join("")}</wsdl:binding>`
  );
}

/**
 * The WSDL 1.1 description of a version's service, written from the catalogue, in one line.
 *
 * @param address Where the service is offered.
 * @throws XmlCharacterError when XML cannot carry the address.
 */
export function describeService(version: SoapVersion, service: SoapService, address: string): string {
  const namespace = namespaceOf(version, service);
  const operations = [...operationsOf(version, service).values()];
  return (
    '<?xml version="1.0" encoding="UTF-8"?>\n' +
    '<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:xs="http://www.w3.org/2001/XMLSchema" ' +
    'xmlns:soap12="http://schemas.xmlsoap.org/wsdl/soap12/" xmlns:wsam="http://www.w3.org/2007/05/addressing/metadata" ' +
    'xmlns:wsaw="http://www.w3.org/2006/05/addressing/wsdl" ' +
    `xmlns:tns="${namespace}" targetNamespace="${namespace}" name="${service}">` +
    typesSection(operations, namespace, definitionsOf(version)) +
    messagesSection(operations) +
    portType(service, operations) +
    binding(service, operations) +
    `<wsdl:service name="${service}"><wsdl:port name="${service}Soap12" binding="tns:${service}Soap">` +
    `<soap12:address location="${escapeAttribute(address)}"/></wsdl:port></wsdl:service></wsdl:definitions>`
  );
}
