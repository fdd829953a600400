import { type SaxesAttributeNS, type SaxesAttributeNSIncomplete, SaxesParser, type SaxesTagNS } from "saxes";

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
  children: readonly XmlElement[];
  text: string;
  /** Namespace declarations in scope. */
  readonly declarations: number;
}

// The version is forced, so that a declared version 1.1 does not bring its control characters along.
const OPTIONS = { xmlns: true, position: false, defaultXMLVersion: "1.0", forceXMLVersion: true } as const;

const NO_ATTRIBUTES: readonly XmlAttribute[] = [];
const NO_CHILDREN: readonly XmlElement[] = [];

/**
 * Builds the trees of documents, one after the other. It extends the parser because V8 makes a dictionary of a bare
 * parser that gets eight handlers, which takes four times as long to read.
 */
class TreeParser extends SaxesParser<typeof OPTIONS> {
  #maxDepth = 0;
  #maxAttributes = 0;
  readonly #open: OpenElement[] = [];
  /** Of the tag that is being read, in order; they learn their namespaces when it ends. */
  #attributes: SaxesAttributeNSIncomplete[] = [];
  #root: XmlElement | undefined;

  constructor() {
    super(OPTIONS);
    this.on("opentagstart", () => this.#startTag());
    this.on("attribute", (attribute) => this.#addAttribute(attribute));
    this.on("opentag", (tag) => this.#openElement(tag));
    this.on("text", (text) => this.#addText(text));
    this.on("cdata", (text) => this.#addText(text));
    this.on("closetag", () => this.#open.pop());
    this.on("doctype", () => this.fail("a document type, which SOAP forbids"));
    this.on("processinginstruction", () => this.fail("a processing instruction, which SOAP forbids"));
  }

  /** Reads a whole document. A parser that has thrown is of no use any more. */
  read(text: string, { maxDepth = 32, maxAttributes = 64 }: XmlLimits): XmlElement | undefined {
    this.#maxDepth = maxDepth;
    this.#maxAttributes = maxAttributes;
    // Without an error handler the parser throws at the first fault, so nothing after it is read.
    this.write(text).close();
    const root = this.#root;
    // Nothing of a document is kept until the next one comes.
    this.#root = undefined;
    this.#forgetAttributes();
    return root;
  }

  #startTag(): void {
    if (this.#open.length >= this.#maxDepth) this.fail(`elements nested deeper than ${this.#maxDepth}`);
    this.#forgetAttributes();
  }

  #forgetAttributes(): void {
    if (this.#attributes.length > 0) this.#attributes = [];
  }

  #addAttribute(attribute: SaxesAttributeNSIncomplete): void {
    if (this.#attributes.push(attribute) > this.#maxAttributes) this.fail("too many attributes");
  }

  #openElement({ uri, local }: SaxesTagNS): void {
    const parent = this.#open.at(-1);
    let attributes = NO_ATTRIBUTES as XmlAttribute[];
    let declarations = parent?.declarations ?? 0;
    for (const { uri: namespace = "", local: name, value } of this.#attributes as readonly SaxesAttributeNS[]) {
      if (namespace === XMLNS_NAMESPACE) declarations++;
      else if (attributes === NO_ATTRIBUTES) attributes = [{ namespace, name, value }];
      else attributes.push({ namespace, name, value });
    }
    if (declarations > this.#maxAttributes) this.fail("too many namespace declarations");
    const element: OpenElement = {
      namespace: uri,
      name: local,
      attributes,
      children: NO_CHILDREN,
      text: "",
      declarations,
    };
    if (parent === undefined) this.#root = element;
    else if (parent.children === NO_CHILDREN) parent.children = [element];
    else (parent.children as XmlElement[]).push(element);
    this.#open.push(element);
  }

  #addText(text: string): void {
    const current = this.#open.at(-1);
    if (current !== undefined) current.text += text;
  }
}

/** The parser that waits for the next document: to make one takes as long as a short document. */
let idleParser: TreeParser | undefined;

/**
 * Reads one XML document as SOAP 1.2 allows it: namespaces resolved, no document type, no processing
 * instruction, and no entity but the five that XML predefines, so that nothing expands and nothing is fetched.
 * Work and memory grow in proportion to the text. White space before an XML declaration is let pass.
 *
 * @throws XmlSyntaxError when the text is not well-formed or goes beyond the limits.
 */
export function readXml(text: string, limits: XmlLimits = {}): XmlElement {
  const start = Math.max(text.search(/[^ \t\r\n]/), 0);
  const parser = idleParser ?? new TreeParser();
  // Whoever finds none, because this one failed, makes one.
  idleParser = undefined;
  let root: XmlElement | undefined;
  try {
    root = parser.read(text.slice(start), limits);
  } catch (cause) {
    // The parser quotes names, which may be as long as the text.
    const reason = (cause as Error).message.slice(0, 200).replace(/\.$/, "");
    throw new XmlSyntaxError(reason, start + parser.position, { cause });
  }
  idleParser = parser;
  if (root === undefined) throw new XmlSyntaxError("no root element", text.length);
  return root;
}
