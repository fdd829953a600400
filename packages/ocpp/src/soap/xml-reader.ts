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

  constructor(reason: string, offset: number) {
    super(`${reason} at offset ${offset}`);
    this.offset = offset;
  }
}

const NAME_START =
  "A-Z_a-z\\u{C0}-\\u{D6}\\u{D8}-\\u{F6}\\u{F8}-\\u{2FF}\\u{370}-\\u{37D}\\u{37F}-\\u{1FFF}\\u{200C}\\u{200D}\\u{2070}-\\u{218F}" +
  "\\u{2C00}-\\u{2FEF}\\u{3001}-\\u{D7FF}\\u{F900}-\\u{FDCF}\\u{FDF0}-\\u{FFFD}\\u{10000}-\\u{EFFFF}";
const NC_NAME = `[${NAME_START}][${NAME_START}\\-.0-9\\u{B7}\\u{300}-\\u{36F}\\u{203F}\\u{2040}]*`;
const QUALIFIED_NAME = new RegExp(`(?:(${NC_NAME}):)?(${NC_NAME})`, "uy");
const SPACE = /[ \t\n]*/y;
const REFERENCE = /&(?:(lt|gt|amp|quot|apos)|#([0-9]{1,7})|#x([0-9A-Fa-f]{1,6}));/y;

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that XML 1.0 §2.2 excludes.
const NOT_XML = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]|\p{Surrogate}/u;

const PREDEFINED: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };
const XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace";
const XMLNS_NAMESPACE = "http://www.w3.org/2000/xmlns/";

/** First character that XML 1.0 cannot carry, as `U+0000`, or undefined. */
export function unencodableCharacter(text: string): string | undefined {
  const found = NOT_XML.exec(text);
  if (found === null) return undefined;
  return `U+${found[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}

const NO_ATTRIBUTES: readonly XmlAttribute[] = [];

interface Scope {
  readonly prefix: string;
  readonly namespace: string;
  readonly outer: Scope | undefined;
  /** Declarations in scope, this one included. */
  readonly size: number;
}

interface OpenElement extends XmlElement {
  readonly children: XmlElement[];
  text: string;
  /** Prefix and name as written, for the end tag. */
  readonly tag: string;
  readonly outerScope: Scope | undefined;
}

interface RawAttribute {
  readonly prefix: string;
  readonly name: string;
  readonly value: string;
  readonly offset: number;
}

class Reader {
  readonly #text: string;
  readonly #maxDepth: number;
  readonly #maxAttributes: number;
  #at = 0;
  #scope: Scope | undefined = { prefix: "xml", namespace: XML_NAMESPACE, outer: undefined, size: 1 };
  readonly #open: OpenElement[] = [];

  constructor(text: string, limits: XmlLimits) {
    this.#text = text;
    this.#maxDepth = limits.maxDepth ?? 32;
    this.#maxAttributes = limits.maxAttributes ?? 64;
  }

  document(): XmlElement {
    this.#prolog();
    const root = this.#element();
    if (this.#open.length > 0) this.#content();
    this.#onlyComments();
    if (this.#at < this.#text.length) throw this.#error("content after the root element");
    return root;
  }

  #error(reason: string, offset = this.#at): XmlSyntaxError {
    return new XmlSyntaxError(reason, offset);
  }

  #skipSpace(): boolean {
    SPACE.lastIndex = this.#at;
    SPACE.test(this.#text);
    const moved = SPACE.lastIndex > this.#at;
    this.#at = SPACE.lastIndex;
    return moved;
  }

  #prolog(): void {
    this.#skipSpace();
    if (/^<\?xml[ \t\n]/.test(this.#text.slice(this.#at, this.#at + 6))) {
      const end = this.#text.indexOf("?>", this.#at);
      if (end < 0) throw this.#error("unfinished XML declaration");
      this.#at = end + 2;
    }
    this.#onlyComments();
    if (this.#text.charCodeAt(this.#at) !== 60) throw this.#error("no root element");
  }

  #onlyComments(): void {
    this.#skipSpace();
    while (this.#text.startsWith("<!--", this.#at)) {
      this.#comment();
      this.#skipSpace();
    }
  }

  #comment(): void {
    const end = this.#text.indexOf("--", this.#at + 4);
    if (end < 0 || this.#text.charCodeAt(end + 2) !== 62) throw this.#error("unfinished comment");
    this.#at = end + 3;
  }

  #content(): void {
    const text = this.#text;
    for (let current = this.#open.at(-1); current !== undefined; current = this.#open.at(-1)) {
      const next = text.indexOf("<", this.#at);
      if (next < 0) throw this.#error(`element ${current.tag} is not closed`, text.length);
      if (next > this.#at) current.text += this.#characters(next);
      const code = text.charCodeAt(next + 1);
      if (code === 47) this.#endTag(current);
      else if (code !== 33) current.children.push(this.#element());
      else if (text.startsWith("<!--", next)) this.#comment();
      else if (text.startsWith("<![CDATA[", next)) current.text += this.#cdata();
      else throw this.#error("a document type or declaration, which SOAP forbids");
    }
  }

  #characters(end: number): string {
    const raw = this.#text.slice(this.#at, end);
    if (raw.includes("]]>")) throw this.#error('"]]>" in text');
    const decoded = raw.includes("&") ? this.#decode(raw, this.#at) : raw;
    this.#at = end;
    return decoded;
  }

  #cdata(): string {
    const end = this.#text.indexOf("]]>", this.#at);
    if (end < 0) throw this.#error("unfinished CDATA section");
    const content = this.#text.slice(this.#at + 9, end);
    this.#at = end + 3;
    return content;
  }

  #decode(raw: string, offset: number): string {
    let result = "";
    let from = 0;
    for (let at = raw.indexOf("&"); at >= 0; at = raw.indexOf("&", from)) {
      REFERENCE.lastIndex = at;
      const reference = REFERENCE.exec(raw);
      if (reference === null) throw this.#error("an undeclared entity or a bare ampersand", offset + at);
      const [whole, name, decimal, hexadecimal] = reference;
      let character: string;
      if (name !== undefined) character = PREDEFINED[name] ?? "";
      else {
        const code = decimal === undefined ? Number.parseInt(hexadecimal ?? "", 16) : Number.parseInt(decimal, 10);
        character = code <= 0x10ffff ? String.fromCodePoint(code) : "\0";
        if (NOT_XML.test(character)) throw this.#error("a reference to a character that XML excludes", offset + at);
      }
      result += raw.slice(from, at) + character;
      from = at + whole.length;
    }
    return result + raw.slice(from);
  }

  #name(what: string): { prefix: string; name: string; whole: string } {
    QUALIFIED_NAME.lastIndex = this.#at;
    const found = QUALIFIED_NAME.exec(this.#text);
    if (found === null) throw this.#error(`no ${what} name`);
    this.#at = QUALIFIED_NAME.lastIndex;
    return { prefix: found[1] ?? "", name: found[2] ?? "", whole: found[0] };
  }

  /** Reads a start tag and, unless it is empty, opens the element. */
  #element(): XmlElement {
    const start = this.#at;
    if (this.#open.length >= this.#maxDepth) throw this.#error(`elements nested deeper than ${this.#maxDepth}`);
    const second = this.#text.charCodeAt(start + 1);
    if (second === 63) throw this.#error("a processing instruction, which SOAP forbids");
    if (second === 33) throw this.#error("a document type or declaration, which SOAP forbids");
    this.#at = start + 1;
    const { prefix, name, whole } = this.#name("element");
    const outerScope = this.#scope;
    const raw = this.#attributes();
    const namespace = this.#resolve(prefix, start);
    const attributes = raw.length === 0 ? NO_ATTRIBUTES : this.#qualify(raw);
    const element: OpenElement = { namespace, name, attributes, children: [], text: "", tag: whole, outerScope };
    if (this.#text.charCodeAt(this.#at) === 47) {
      if (this.#text.charCodeAt(this.#at + 1) !== 62) throw this.#error("a stray slash");
      this.#at += 2;
      this.#scope = outerScope;
    } else {
      this.#at++;
      this.#open.push(element);
    }
    return element;
  }

  #endTag(current: OpenElement): void {
    this.#at += 2;
    if (!this.#text.startsWith(current.tag, this.#at)) throw this.#error(`not the end tag of ${current.tag}`);
    this.#at += current.tag.length;
    this.#skipSpace();
    if (this.#text.charCodeAt(this.#at) !== 62) throw this.#error(`not the end tag of ${current.tag}`);
    this.#at++;
    this.#scope = current.outerScope;
    this.#open.pop();
  }

  /** Reads attributes up to `>` or `/`; namespace declarations go to the scope. */
  #attributes(): readonly RawAttribute[] {
    const first = this.#text.charCodeAt(this.#at);
    if (first === 62 || first === 47) return [];
    const attributes: RawAttribute[] = [];
    const declared = new Set<string>();
    for (;;) {
      const spaced = this.#skipSpace();
      const code = this.#text.charCodeAt(this.#at);
      if (code === 62 || code === 47) return attributes;
      if (!spaced) throw this.#error("no space before an attribute");
      const offset = this.#at;
      if (attributes.length + declared.size >= this.#maxAttributes) throw this.#error("too many attributes");
      const { prefix, name, whole } = this.#name("attribute");
      const value = this.#attributeValue();
      if (prefix === "xmlns" || whole === "xmlns") {
        const bound = prefix === "xmlns" ? name : "";
        if (declared.has(bound)) throw this.#error(`${whole} twice`, offset);
        declared.add(bound);
        this.#declare(bound, value, offset);
      } else attributes.push({ prefix, name, value, offset });
    }
  }

  #attributeValue(): string {
    this.#skipSpace();
    if (this.#text.charCodeAt(this.#at) !== 61) throw this.#error("an attribute without value");
    this.#at++;
    this.#skipSpace();
    const quote = this.#text[this.#at];
    if (quote !== '"' && quote !== "'") throw this.#error("an attribute value without quotes");
    const from = this.#at + 1;
    const end = this.#text.indexOf(quote, from);
    if (end < 0) throw this.#error("an unfinished attribute value");
    const raw = this.#text.slice(from, end).replace(/[\t\n]/g, " ");
    if (raw.includes("<")) throw this.#error('"<" in an attribute value');
    const value = raw.includes("&") ? this.#decode(raw, from) : raw;
    this.#at = end + 1;
    return value;
  }

  #declare(prefix: string, namespace: string, offset: number): void {
    const reserved = prefix === "xml" ? namespace !== XML_NAMESPACE : namespace === XML_NAMESPACE;
    if (reserved || prefix === "xmlns" || namespace === XMLNS_NAMESPACE) {
      throw this.#error("a reserved prefix or namespace is redeclared", offset);
    }
    if (prefix !== "" && namespace === "") throw this.#error(`prefix ${prefix} is bound to no namespace`, offset);
    const size = (this.#scope?.size ?? 0) + 1;
    // A lookup walks the scope, so its size bounds the work that one short element can cause.
    if (size > this.#maxAttributes) throw this.#error("too many namespace declarations", offset);
    this.#scope = { prefix, namespace, outer: this.#scope, size };
  }

  #resolve(prefix: string, offset: number): string {
    for (let scope = this.#scope; scope !== undefined; scope = scope.outer) {
      if (scope.prefix === prefix) return scope.namespace;
    }
    if (prefix === "") return "";
    throw this.#error(`prefix ${prefix} is not declared`, offset);
  }

  #qualify(raw: readonly RawAttribute[]): XmlAttribute[] {
    const seen = new Set<string>();
    return raw.map(({ prefix, name, value, offset }) => {
      const namespace = prefix === "" ? "" : this.#resolve(prefix, offset);
      const key = `${namespace} ${name}`;
      if (seen.has(key)) throw this.#error(`attribute ${name} twice`, offset);
      seen.add(key);
      return { namespace, name, value };
    });
  }
}

/**
 * Reads one XML document as SOAP 1.2 allows it: namespaces resolved, no document type, no processing
 * instruction, and no entity but the five that XML predefines, so that nothing expands and nothing is fetched.
 * Work and memory grow in proportion to the text.
 *
 * @throws XmlSyntaxError when the text is not well-formed or goes beyond the limits.
 */
export function readXml(text: string, limits: XmlLimits = {}): XmlElement {
  const excluded = NOT_XML.exec(text);
  if (excluded !== null) throw new XmlSyntaxError("a character that XML excludes", excluded.index);
  // XML 1.0 §2.11: line ends are normalised before parsing.
  return new Reader(text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text, limits).document();
}
