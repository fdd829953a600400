import { SaxesParser, type SaxesTagNS } from "saxes";

/** An attribute of an {@link XmlElement}, its prefix resolved. Namespace declarations are not attributes. */
export interface XmlAttribute {
  /** "" for an attribute without prefix. */
  readonly namespace: string;
  readonly name: string;
  readonly value: string;
}

/** An element with its prefix resolved and its text decoded. */
export interface XmlElement {
  /** "" for an element in no namespace. */
  readonly namespace: string;
  readonly name: string;
  readonly attributes: readonly XmlAttribute[];
  readonly children: readonly XmlElement[];
  /** All text directly inside, in order, with child elements left out. */
  readonly text: string;
}

/** Bounds on what {@link readXml} accepts. */
export interface XmlLimits {
  /** Elements inside one another; 32 when absent. OCPP needs nine. */
  readonly maxDepth?: number;
  /** Attributes and namespace declarations of one element, and declarations in scope; 64 when absent. */
  readonly maxAttributes?: number;
}

/** The text is not XML, or is XML of a kind that SOAP 1.2 forbids. `offset` counts UTF-16 units. */
export class XmlSyntaxError extends Error {
  override readonly name = "XmlSyntaxError";
  readonly offset: number;

  constructor(reason: string, offset: number, options?: ErrorOptions) {
    super(`${reason} at offset ${offset}`, options);
    this.offset = offset;
  }
}

const XMLNS_NAMESPACE = "http://www.w3.org/2000/xmlns/";

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that XML 1.0 §2.2 excludes.
const NOT_XML = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]|\p{Surrogate}/u;

/** First character that XML 1.0 cannot carry, as `U+0000`, or undefined. */
export function unencodableCharacter(text: string): string | undefined {
  const found = NOT_XML.exec(text);
  if (found === null) return undefined;
  return `U+${found[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}

interface OpenElement extends XmlElement {
  readonly children: XmlElement[];
  text: string;
  /** Namespace declarations in scope. */
  readonly declarations: number;
}

// The version is forced, so that a declared version 1.1 does not bring its control characters along.
const OPTIONS = { xmlns: true, position: false, defaultXMLVersion: "1.0", forceXMLVersion: true } as const;

/**
 * Builds the tree of one document. It extends the parser because V8 makes a dictionary of a bare parser that gets
 * eight handlers, which takes four times as long to read.
 */
class TreeParser extends SaxesParser<typeof OPTIONS> {
  readonly #maxDepth: number;
  readonly #maxAttributes: number;
  readonly #open: OpenElement[] = [];
  #attributes = 0;
  root: XmlElement | undefined;

  constructor({ maxDepth = 32, maxAttributes = 64 }: XmlLimits) {
    super(OPTIONS);
    this.#maxDepth = maxDepth;
    this.#maxAttributes = maxAttributes;
    this.on("opentagstart", () => this.#startTag());
    this.on("attribute", () => this.#countAttribute());
    this.on("opentag", (tag) => this.#openElement(tag));
    this.on("text", (text) => this.#addText(text));
    this.on("cdata", (text) => this.#addText(text));
    this.on("closetag", () => this.#open.pop());
    this.on("doctype", () => this.fail("a document type, which SOAP forbids"));
    this.on("processinginstruction", () => this.fail("a processing instruction, which SOAP forbids"));
  }

  #startTag(): void {
    if (this.#open.length >= this.#maxDepth) this.fail(`elements nested deeper than ${this.#maxDepth}`);
    this.#attributes = 0;
  }

  #countAttribute(): void {
    this.#attributes++;
    if (this.#attributes > this.#maxAttributes) this.fail("too many attributes");
  }

  #openElement({ uri, local, attributes }: SaxesTagNS): void {
    const parent = this.#open.at(-1);
    const own: XmlAttribute[] = [];
    let declarations = parent?.declarations ?? 0;
    for (const attribute of Object.values(attributes)) {
      if (attribute.uri === XMLNS_NAMESPACE) declarations++;
      else own.push({ namespace: attribute.uri, name: attribute.local, value: attribute.value });
    }
    if (declarations > this.#maxAttributes) this.fail("too many namespace declarations");
    const element = { namespace: uri, name: local, attributes: own, children: [], text: "", declarations };
    if (parent === undefined) this.root = element;
    else parent.children.push(element);
    this.#open.push(element);
  }

  #addText(text: string): void {
    const current = this.#open.at(-1);
    if (current !== undefined) current.text += text;
  }
}

/**
 * Reads one XML document as SOAP 1.2 allows it: namespaces resolved, no document type, no processing
 * instruction, and no entity but the five that XML predefines, so that nothing expands and nothing is fetched.
 * Work and memory grow in proportion to the text. White space before an XML declaration is let pass.
 *
 * @throws XmlSyntaxError when the text is not well-formed or goes beyond the limits.
 */
export function readXml(text: string, limits: XmlLimits = {}): XmlElement {
  const start = Math.max(text.search(/[^ \t\r\n]/), 0);
  const parser = new TreeParser(limits);
  try {
    // Without an error handler the parser throws at the first fault, so nothing after it is read.
    parser.write(text.slice(start)).close();
  } catch (cause) {
    // The parser quotes names, which may be as long as the text.
    const reason = (cause as Error).message.slice(0, 200).replace(/\.$/, "");
    throw new XmlSyntaxError(reason, start + parser.position, { cause });
  }
  if (parser.root === undefined) throw new XmlSyntaxError("no root element", text.length);
  return parser.root;
}
