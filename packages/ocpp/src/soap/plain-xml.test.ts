import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readPlainXml } from "./plain-xml.ts";
import { namespaceOf, soapVersions } from "./soap-version.ts";
import { parseXml, type XmlElement, XmlSyntaxError } from "./xml-reader.ts";

const read = (text: string) => readPlainXml(text, 32, 64);

interface Tree {
  readonly name: readonly [namespace: string, name: string];
  readonly attributes: readonly (readonly [namespace: string, name: string, value: string])[];
  readonly children: readonly Tree[];
  readonly text: string;
}

function treeOf({ namespace, name, attributes, children, text }: XmlElement): Tree {
  return {
    name: [namespace, name],
    attributes: attributes.map((attribute) => [attribute.namespace, attribute.name, attribute.value]),
    children: children.map(treeOf),
    text,
  };
}

/** Whether it was plain; then the parser must say the same of it. */
function agrees(text: string): boolean {
  const plain = read(text);
  if (plain === undefined) return false;
  expect(treeOf(plain)).toEqual(treeOf(parseXml(text, 0, {})));
  return true;
}

const envelopes = soapVersions.map(
  (version) =>
    '<?xml version="1.0" encoding="UTF-8"?>\n<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" ' +
    `xmlns:a='http://www.w3.org/2005/08/addressing' xmlns:o="${namespaceOf(version, "CentralSystemService")}">\n` +
    '  <s:Header><o:chargeBoxIdentity s:mustUnderstand="true">CP1</o:chargeBoxIdentity><a:Action>/MeterValues</a:Action>' +
    '<a:From><a:Address>http://127.0.0.1/</a:Address></a:From></s:Header><s:Body><meterValuesRequest xmlns="urn:x" x="é">' +
    "<connectorId >1</connectorId ><empty/><o:value unit=\"Wh\" o:unit='W' >12 > 11</o:value><b xmlns=''/>" +
    "</meterValuesRequest></s:Body></s:Envelope>\n",
);

const pieces = [
  ...["<", ">", "/", "</", "/>", "&amp;", "&", "]]>", "<![CDATA[x]]>", "<!-- x -->", "<!DOCTYPE a>", "<?x y?>", "<?"],
  ...[
    '"',
    "'",
    "=",
    ":",
    " ",
    "\n",
    "\t",
    "\r\n",
    "\0",
    "\u0085",
    "\u2028",
    "\ud800",
    "😀",
    "é",
    "-",
    "1",
    "__proto__",
  ],
  ...["o:", "x:", "xml:", "xmlns:", ' xmlns:o=""', ' xmlns=""', ' xmlns:o="urn:y"', ' xmlns:p=" urn:z "', ' x="<"'],
  ...[
    ' xmlns:xml="http://www.w3.org/XML/1998/namespace"',
    ' xmlns:q="http://www.w3.org/2000/xmlns/"',
    ' xml:lang="en"',
  ],
  ...[
    ' x="1"',
    " x='2'",
    ' o:x="3"',
    ' s:x="4"',
    "<a>",
    "</a>",
    "<b/>",
    "<o:c/>",
    "<1/>",
    "<o:1/>",
    "<.a/>",
    "<a:b:c/>",
  ],
];

const mutation = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  remove: fc.nat(20),
  insert: fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 4 })),
});

describe("readPlainXml", () => {
  it("reads what stations send", () => {
    for (const text of envelopes) {
      expect(agrees(text.replaceAll(" >", ">"))).toBe(true);
      // A blank in an end tag is lawful and rare: it is left to the parser.
      expect(agrees(text)).toBe(false);
    }
  });

  it("reads a root without content, and names that mean something to JavaScript", () => {
    expect(agrees('<a x="1"/>')).toBe(true);
    expect(agrees("<__proto__ constructor='1'><toString/></__proto__>")).toBe(true);
  });

  it("says of no mutilated envelope anything but what the parser says", { timeout: 120_000 }, () => {
    let plain = 0;
    fc.assert(
      fc.property(fc.constantFrom(...envelopes), fc.array(mutation, { maxLength: 3 }), (envelope, mutations) => {
        let text = envelope.replaceAll(" >", ">");
        for (const { at, remove, insert } of mutations) {
          const from = Math.floor(at * text.length);
          text = text.slice(0, from) + insert + text.slice(from + remove);
        }
        if (agrees(text)) plain++;
      }),
      { numRuns: 20_000 },
    );
    expect(plain).toBeGreaterThan(1000);
  });

  it("says of no text made of pieces of XML anything but what the parser says", { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 12 }), (parts) => {
        agrees(parts.join(""));
        agrees(`<a xmlns:o="urn:o" xmlns:s="urn:s">${parts.join("")}</a>`);
        agrees(`<a${parts.join("")}/>`);
      }),
      { numRuns: 20_000 },
    );
  });

  it.each([
    ["a reference", "<a>&lt;</a>"],
    ["CDATA", "<a><![CDATA[x]]></a>"],
    ["a comment", "<a><!-- x --></a>"],
    ["a line end to be normalised", "<a>\r\n</a>"],
    ["a tab in a value", '<a x="\t"/>'],
    ["a character beyond the basic plane", "<a>😀</a>"],
    ["the prefix xml", '<a xml:lang="en"/>'],
    ["a name that is not ASCII", "<é/>"],
  ])("leaves %s to the parser", (_what, text) => {
    expect(read(text)).toBeUndefined();
    expect(parseXml(text, 0, {}).name).toBeDefined();
  });

  it.each([
    ["elements", `${"<a>".repeat(33)}${"</a>".repeat(33)}`],
    ["attributes", `<a${Array.from({ length: 65 }, (_, index) => ` x${index}=""`).join("")}/>`],
    ["declarations", `<a${Array.from({ length: 65 }, (_, index) => ` xmlns:x${index}="u"`).join("")}/>`],
  ])("leaves too many %s to the parser, which refuses them", (_what, text) => {
    expect(read(text)).toBeUndefined();
    expect(() => parseXml(text, 0, {})).toThrow(XmlSyntaxError);
  });

  it("keeps to lower limits of its caller", () => {
    expect(readPlainXml("<a><b/></a>", 1, 64)).toBeUndefined();
    expect(readPlainXml('<a x="1" y="2"/>', 32, 1)).toBeUndefined();
  });
});
