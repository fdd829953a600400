import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeXml } from "./xml-encoding.ts";
import { readXml, unencodableCharacter, XmlSyntaxError } from "./xml-reader.ts";
import { escapeAttribute, escapeText, XmlCharacterError } from "./xml-writer.ts";

describe("readXml", () => {
  it("resolves prefixes of elements and attributes in their scope", () => {
    const root = readXml(
      '<p:a xmlns:p="urn:1" xmlns="urn:2" x="0" p:x="1"><b xmlns=""><p:c xmlns:p="urn:3"/></b><d/></p:a>',
    );
    expect(root.namespace).toBe("urn:1");
    expect(root.attributes).toEqual([
      { namespace: "", name: "x", value: "0" },
      { namespace: "urn:1", name: "x", value: "1" },
    ]);
    expect(root.children.map(({ namespace, name }) => [namespace, name])).toEqual([
      ["", "b"],
      ["urn:2", "d"],
    ]);
    expect(root.children[0]?.children[0]?.namespace).toBe("urn:3");
  });

  it("decodes predefined entities, character references and CDATA, and leaves comments out", () => {
    expect(readXml("<a>&lt;&#65;&#x1F600;&amp;lt;<!-- <b> --><![CDATA[<&]]>!</a>").text).toBe("<A😀&lt;<&!");
    expect(readXml(`<a x="&quot;&apos;\t\n&#9;"/>`).attributes[0]?.value).toBe("\"'  \t");
  });

  it("normalises line ends as XML 1.0 §2.11 says", () => {
    expect(readXml("<a>1\r\n2\r3\n4&#13;</a>").text).toBe("1\n2\n3\n4\r");
  });

  it("accepts an XML declaration, blank space and comments around the root", () => {
    expect(readXml('\n<?xml version="1.0" encoding="UTF-8"?>\n<!-- x -->\n<a/>\n<!-- y -->\n').name).toBe("a");
  });

  it("keeps names that mean something to JavaScript as plain names", () => {
    const root = readXml("<__proto__ constructor='1'><toString/></__proto__>");
    expect([root.name, root.attributes[0]?.name, root.children[0]?.name]).toEqual([
      "__proto__",
      "constructor",
      "toString",
    ]);
  });

  it.each([
    ["mismatched tags", "<a><b></a></b>"],
    ["a name that only begins alike", "<a></ab>"],
    ["an unclosed element", "<a><b>"],
    ["an unfinished tag", "<a"],
    ["nothing", ""],
    ["text only", "hello"],
    ["two roots", "<a/><b/>"],
    ["text after the root", "<a/>x"],
    ["an attribute without quotes", "<a x=1/>"],
    ["an attribute without value", "<a x/>"],
    ["the same attribute twice", '<a x="1" x="2"/>'],
    ["the same attribute twice by two prefixes", '<a xmlns:p="u" xmlns:q="u" p:x="1" q:x="2"/>'],
    ["attributes that touch", '<a x="1"y="2"/>'],
    ["a bare ampersand", "<a>1 & 2</a>"],
    ["an undeclared entity", "<a>&foo;</a>"],
    ["an HTML entity", "<a>&nbsp;</a>"],
    ["a reference to NUL", "<a>&#0;</a>"],
    ["a reference to a surrogate", "<a>&#xD800;</a>"],
    ["a reference beyond Unicode", "<a>&#x110000;</a>"],
    ["a NUL", "<a>\u0000</a>"],
    ["a control character", "<a>\u0001</a>"],
    ["a lone surrogate", "<a>\ud800</a>"],
    ["a CDATA end in text", "<a>]]></a>"],
    ["an unfinished CDATA section", "<a><![CDATA[x</a>"],
    ["an unfinished comment", "<a><!-- x</a>"],
    ["a less-than sign in an attribute", '<a x="<"/>'],
    ["an undeclared prefix", "<p:a/>"],
    ["an undeclared prefix of an attribute", '<a p:x="1"/>'],
    ["a prefix bound to nothing", '<a xmlns:p=""/>'],
    ["the prefix xml bound anew", '<a xmlns:xml="urn:x"/>'],
    ["the prefix xmlns bound", '<a xmlns:xmlns="urn:x"/>'],
    ["a name with two colons", '<a:b:c xmlns:a="u"/>'],
    ["a name that begins with a digit", "<1a/>"],
  ])("refuses %s", (_what, text) => {
    expect(() => readXml(text)).toThrow(XmlSyntaxError);
  });

  it.each([
    ["a document type", '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>'],
    ["internal entities", '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'],
    ["an entity bomb", '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a>&c;</a>'],
    ["a document type inside", "<a><!DOCTYPE a></a>"],
    ["a processing instruction", "<a><?php x?></a>"],
    ["a style sheet", '<?xml-stylesheet href="x"?><a/>'],
  ])("refuses %s, which SOAP 1.2 forbids", (_what, text) => {
    expect(() => readXml(text)).toThrow(/SOAP forbids|located doctype declaration/);
  });

  it("reads a document that declares XML 1.1 by the rules of XML 1.0", () => {
    expect(readXml('<?xml version="1.1"?><a>b</a>').text).toBe("b");
    expect(() => readXml('<?xml version="1.1"?><a>&#1;</a>')).toThrow(XmlSyntaxError);
  });

  it("tells where it stopped, and quotes no more than the beginning of a long name", () => {
    expect(() => readXml("\n<a></b>")).toThrow(expect.objectContaining({ offset: 8 }));
    try {
      readXml(`<a></${"b".repeat(100_000)}>`);
      expect.unreachable();
    } catch (error) {
      expect((error as Error).message.length).toBeLessThan(250);
    }
  });

  it("stops at the attribute that is one too many", () => {
    const attributes = Array.from({ length: 100_000 }, (_, index) => ` x${index}=""`).join("");
    try {
      readXml(`<a${attributes}/>`);
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ name: "XmlSyntaxError", message: expect.stringContaining("too many attributes") });
      expect((error as XmlSyntaxError).offset).toBeLessThan(1000);
    }
  });

  it("bounds depth, attributes and namespace declarations", () => {
    expect(() => readXml("<a>".repeat(33) + "</a>".repeat(33))).toThrow("nested deeper than 32");
    expect(readXml("<a>".repeat(32) + "</a>".repeat(32)).name).toBe("a");
    expect(() => readXml("<a>".repeat(1_000_000))).toThrow("nested deeper than 32");
    const attributes = Array.from({ length: 65 }, (_, index) => ` x${index}=""`).join("");
    expect(() => readXml(`<a${attributes}/>`)).toThrow("too many attributes");
    const declarations = Array.from({ length: 40 }, (_, index) => ` xmlns:p${index}="u"`).join("");
    expect(() => readXml(`<a${declarations}><b${declarations}/></a>`)).toThrow("too many namespace declarations");
  });

  it("keeps nothing of one document for the next, be it refused in the middle or read", () => {
    const refused = ['<p:a xmlns:p="urn:1" x="1"><b>text', '<a x="1" y="2"><!DOCTYPE a>', "<a>&#0;", "<a", "<a/>x\r"];
    for (const text of refused) {
      expect(() => readXml(text)).toThrow(XmlSyntaxError);
      expect(() => readXml("<p:a/>")).toThrow("unbound namespace prefix");
      expect(readXml('<a y="3"><c/></a>')).toMatchObject({
        namespace: "",
        attributes: [{ name: "y", value: "3" }],
        children: [{ name: "c", attributes: [], children: [] }],
        text: "",
      });
    }
    expect(() => readXml("<a><b/></a>", { maxDepth: 1 })).toThrow("nested deeper than 1");
    expect(readXml("<a><b/></a>").children).toHaveLength(1);
  });

  it("never fails in any other way, whatever the text", () => {
    const pieces = [
      "<",
      ">",
      "/",
      "</",
      "/>",
      "a",
      "b:",
      'x="1"',
      "xmlns",
      "=",
      '"',
      "'",
      "&",
      ";",
      "#",
      "<!--",
      "-->",
      "<![CDATA[",
      "]]>",
      "<?",
      "?>",
      " ",
      "\n",
      "\0",
      "é",
      "😀",
    ];
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string())), (parts) => {
        try {
          readXml(parts.join(""));
        } catch (error) {
          expect(error).toBeInstanceOf(XmlSyntaxError);
        }
      }),
      { numRuns: 20_000 },
    );
  });
});

describe("escaping", () => {
  it("gives every text back through an element and an attribute", () => {
    const text = fc.string({ unit: "binary" }).filter((value) => unencodableCharacter(value) === undefined);
    fc.assert(
      fc.property(text, (value) => {
        const root = readXml(`<a x="${escapeAttribute(value)}">${escapeText(value)}</a>`);
        expect(root.text).toBe(value);
        expect(root.attributes[0]?.value).toBe(value);
      }),
      { numRuns: 2000 },
    );
  });

  it.each(["\0", "\u0008", "\u001f", "\ufffe", "\ud800", "\udc00x"])(
    "refuses %j, which XML cannot carry",
    (character) => {
      expect(() => escapeText(`a${character}`)).toThrow(XmlCharacterError);
      expect(() => escapeAttribute(`a${character}`)).toThrow(XmlCharacterError);
    },
  );
});

describe("decodeXml", () => {
  const text = '<?xml version="1.0"?><a>é€</a>';

  it.each([
    ["UTF-8", Buffer.from(text, "utf8"), undefined],
    ["UTF-8 with a byte order mark", Buffer.from(`\ufeff${text}`, "utf8"), "text/xml; charset=utf-8"],
    ["UTF-16 with a byte order mark", Buffer.from(`\ufeff${text}`, "utf16le"), undefined],
    ["UTF-16 by the content type", Buffer.from(text, "utf16le"), 'application/soap+xml; charset="utf-16"'],
  ])("reads %s", (_encoding, bytes, contentType) => {
    expect(decodeXml(bytes, contentType)).toBe(text);
  });

  it("reads Latin-1 by the declaration and by the content type", () => {
    const declared = '<?xml version="1.0" encoding="ISO-8859-1"?><a>é</a>';
    expect(decodeXml(Buffer.from(declared, "latin1"))).toBe(declared);
    expect(decodeXml(Buffer.from("<a>é</a>", "latin1"), "text/xml;charset=iso-8859-1")).toBe("<a>é</a>");
  });

  it("refuses bytes that are not in the encoding and encodings it does not know", () => {
    expect(() => decodeXml(Buffer.from("<a>é</a>", "latin1"))).toThrow(XmlSyntaxError);
    expect(() => decodeXml(Buffer.from("<a/>"), "text/xml; charset=utf-7")).toThrow(XmlSyntaxError);
  });
});
