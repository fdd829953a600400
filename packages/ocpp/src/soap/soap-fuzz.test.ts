import fc from "fast-check";
import { expect, it } from "vitest";
import { parseEnvelope } from "./envelope.ts";
import { SoapFault } from "./fault.ts";
import { findOperation, findService, namespaceOf, soapVersions } from "./soap-version.ts";
import { readXml, XmlSyntaxError } from "./xml-reader.ts";

const samples = soapVersions.map(
  (version) =>
    '<?xml version="1.0"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" ' +
    `xmlns:a="http://www.w3.org/2005/08/addressing" xmlns:o="${namespaceOf(version, "CentralSystemService")}">` +
    '<s:Header><o:chargeBoxIdentity s:mustUnderstand="true">CP1</o:chargeBoxIdentity><a:Action>/MeterValues</a:Action>' +
    "<a:From><a:Address>http://127.0.0.1/</a:Address></a:From></s:Header><s:Body><o:meterValuesRequest>" +
    "<o:connectorId>1</o:connectorId><o:values><o:timestamp>2020-01-01T00:00:00Z</o:timestamp>" +
    '<o:value unit="Wh">12</o:value></o:values></o:meterValuesRequest></s:Body></s:Envelope>',
);

const pieces = [
  "<",
  ">",
  "/",
  "&amp;",
  "&x;",
  "]]>",
  "<![CDATA[",
  "<!--",
  "<!DOCTYPE a>",
  '"',
  "'",
  "o:",
  'xmlns:o=""',
  "\0",
  "\ud800",
  "<o:values>",
  "</s:Body>",
  "__proto__",
  "1e999",
  "-1",
  " ",
];

const mutation = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  remove: fc.nat(40),
  insert: fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 8 })),
});

/** Everything between the bytes and the handler. */
function read(text: string): void {
  const envelope = parseEnvelope(readXml(text));
  const service = findService(envelope.body.namespace);
  const operation = service && findOperation(service.version, service.service, envelope.body.name);
  if (operation === undefined) return;
  const payload = operation.request.decode(envelope.body);
  expect(Object.getPrototypeOf(payload)).toBe(Object.prototype);
  operation.entry.validateRequest(payload);
}

it("no mutilated envelope fails in any way but with a syntax error or a Fault", { timeout: 120_000 }, () => {
  let unharmed = 0;
  fc.assert(
    fc.property(fc.constantFrom(...samples), fc.array(mutation, { maxLength: 4 }), (sample, mutations) => {
      let text = sample;
      for (const { at, remove, insert } of mutations) {
        const from = Math.floor(at * text.length);
        text = text.slice(0, from) + insert + text.slice(from + remove);
      }
      try {
        read(text);
        unharmed++;
      } catch (error) {
        expect([XmlSyntaxError, SoapFault]).toContain((error as Error).constructor);
      }
    }),
    { numRuns: 60_000 },
  );
  expect(unharmed).toBeGreaterThan(1000);
});
