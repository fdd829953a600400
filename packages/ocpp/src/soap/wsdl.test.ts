import { describe, expect, it } from "vitest";
import { operationsOf, type SoapService, soapVersions } from "./soap-version.ts";
import { describeService } from "./wsdl.ts";
import { readXml, type XmlElement } from "./xml-reader.ts";

const services: readonly SoapService[] = ["CentralSystemService", "ChargePointService"];

function* all(element: XmlElement): Generator<XmlElement> {
  yield element;
  for (const child of element.children) yield* all(child);
}

const attribute = (element: XmlElement, name: string) =>
  element.attributes.find((candidate) => candidate.name === name)?.value;

describe.each(soapVersions.flatMap((version) => services.map((service) => [version, service] as const)))(
  "the description of %s %s",
  (version, service) => {
    const root = readXml(describeService(version, service, "http://csms/ocpp?a=1&b=2"));
    const elements = [...all(root)];
    const named = (name: string) => elements.filter((element) => element.name === name);

    it("has every operation of the catalogue with its two messages", () => {
      const [portType] = named("portType");
      const operations = portType?.children.map((operation) => attribute(operation, "name"));
      expect(operations).toEqual([...operationsOf(version, service).keys()]);
      expect(named("message")).toHaveLength(1 + 2 * (operations?.length ?? 0));
      expect(named("binding").find((element) => attribute(element, "type"))?.children).toHaveLength(
        (operations?.length ?? 0) + 2,
      );
    });

    it("defines every type, element, message and binding that it refers to", () => {
      const defined = new Set(
        elements
          .filter(({ name }) =>
            ["simpleType", "complexType", "element", "message", "portType", "binding"].includes(name),
          )
          .map((element) => attribute(element, "name")),
      );
      const references = elements
        .flatMap((element) => ["type", "base", "element", "message", "binding"].map((name) => attribute(element, name)))
        .filter((reference) => reference?.startsWith("tns:"));
      expect(references.length).toBeGreaterThan(10);
      for (const reference of references) expect(defined).toContain(reference?.slice(4));
    });

    it("gives the address", () => {
      expect(attribute(named("address")[0] as XmlElement, "location")).toBe("http://csms/ocpp?a=1&b=2");
    });
  },
);

it("describes 1.5 meter values as text with attributes and 1.6 limits with one digit", () => {
  const text15 = describeService("1.5", "CentralSystemService", "http://x/");
  expect(text15).toContain('<xs:attribute name="unit" use="optional" type="tns:UnitOfMeasure"/></xs:extension>');
  expect(text15).toContain('<xs:element name="value" minOccurs="1" maxOccurs="unbounded" type="tns:SampledValue"/>');
  const text16 = describeService("1.6", "ChargePointService", "http://x/");
  expect(text16).toContain('<xs:restriction base="xs:decimal"><xs:fractionDigits value="1"/></xs:restriction>');
  expect(text16).not.toContain("SignedUpdateFirmware");
});
