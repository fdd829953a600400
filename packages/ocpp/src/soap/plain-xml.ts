import type { XmlAttribute, XmlElement } from "./xml-reader.ts";

const TAB = 0x09;
const LINE_FEED = 0x0a;
const SPACE = 0x20;
const DOUBLE_QUOTE = 0x22;
const SINGLE_QUOTE = 0x27;
const SLASH = 0x2f;
const COLON = 0x3a;
const LESS = 0x3c;
const EQUALS = 0x3d;
const GREATER = 0x3e;

/** References, comments, CDATA, document types, line ends to be normalised, and characters that need a closer look. */
const NOT_PLAIN = /[^\t\n\x20-\uD7FF\uE000-\uFFFD]|&|<!|\]\]>/;
const DECLARATION = /^<\?xml version=(?:"1\.0"|'1\.0')(?: encoding=(?:"[A-Za-z][\w.-]*"|'[A-Za-z][\w.-]*'))? ?\?>/;

/** More than that is not looked for one by one, so that work stays in proportion to the text. */
const MAX_ATTRIBUTES = 16;

const BEGINS_NAME = 1;
const CONTINUES_NAME = 2;
/** By character code, the ASCII part of the names of XML 1.0 §2.3 without the colon. */
const NAME_CHARACTERS = Uint8Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code);
  if (/[A-Za-z_]/.test(character)) return BEGINS_NAME | CONTINUES_NAME;
  return /[0-9.-]/.test(character) ? CONTINUES_NAME : 0;
});

const NO_ATTRIBUTES: readonly XmlAttribute[] = [];
const NO_CHILDREN: readonly XmlElement[] = [];

interface OpenElement extends XmlElement {
  attributes: readonly XmlAttribute[];
  children: readonly XmlElement[];
  text: string;
}

interface Attribute {
  readonly prefix: string;
  readonly name: string;
  readonly value: string;
}

function isBlank(code: number): boolean {
  return code === SPACE || code === LINE_FEED || code === TAB;
}

/** Reads one document; -1 as a position says that it is not plain. */
class PlainReader {
  readonly #text: string;
  readonly #maxDepth: number;
  readonly #maxAttributes: number;
  /** Elements that are open, with their names as written and the declarations that were in scope around them. */
  readonly #open: OpenElement[] = [];
  readonly #names: string[] = [];
  readonly #outerDeclarations: number[] = [];
  readonly #prefixes: string[] = [];
  readonly #namespaces: string[] = [];
  /** Of the name that was read last: what stands before its colon, and behind. */
  #prefix = "";
  #local = "";
  /** Of the tag that was read last. */
  #attributes: Attribute[] = [];
  #isEmpty = false;
  #root: OpenElement | undefined;

  constructor(text: string, maxDepth: number, maxAttributes: number) {
    this.#text = text;
    this.#maxDepth = maxDepth;
    this.#maxAttributes = Math.min(maxAttributes, MAX_ATTRIBUTES);
  }

  document(start: number): XmlElement | undefined {
    const text = this.#text;
    let at = this.#skipBlank(start);
    while (text.charCodeAt(at) === LESS) {
      at = text.charCodeAt(at + 1) === SLASH ? this.#closeElement(at + 2) : this.#openElement(at + 1);
      if (at < 0) return undefined;
      const current = this.#open.at(-1);
      if (current === undefined) return this.#skipBlank(at) === text.length ? this.#root : undefined;
      const next = text.indexOf("<", at);
      if (next > at) current.text += text.slice(at, next);
      at = next;
    }
    return undefined;
  }

  #closeElement(at: number): number {
    const name = this.#names.pop();
    if (name === undefined || !this.#text.startsWith(name, at)) return -1;
    this.#open.pop();
    this.#forgetDeclarations(this.#outerDeclarations.pop() ?? 0);
    const end = at + name.length;
    return this.#text.charCodeAt(end) === GREATER ? end + 1 : -1;
  }

  #openElement(start: number): number {
    if (this.#open.length >= this.#maxDepth) return -1;
    const nameEnd = this.#name(start);
    if (nameEnd < 0) return -1;
    const prefix = this.#prefix;
    const name = this.#local;
    const outerDeclarations = this.#prefixes.length;
    const end = this.#tagEnd(nameEnd);
    if (end < 0) return -1;
    const namespace = this.#namespaceOf(prefix);
    const attributes = this.#resolvedAttributes();
    if (namespace === undefined || attributes === undefined) return -1;
    const element: OpenElement = { namespace, name, attributes, children: NO_CHILDREN, text: "" };
    const parent = this.#open.at(-1);
    if (parent === undefined) this.#root = element;
    else if (parent.children === NO_CHILDREN) parent.children = [element];
    else (parent.children as XmlElement[]).push(element);
    if (this.#isEmpty) {
      this.#forgetDeclarations(outerDeclarations);
    } else {
      this.#open.push(element);
      this.#names.push(this.#text.slice(start, nameEnd));
      this.#outerDeclarations.push(outerDeclarations);
    }
    return end;
  }

  /** Reads the rest of a start tag. Returns the position behind it. */
  #tagEnd(start: number): number {
    const text = this.#text;
    const outer = this.#prefixes.length;
    if (this.#attributes.length > 0) this.#attributes = [];
    let at = start;
    for (let count = 0; count <= this.#maxAttributes; count++) {
      const blankEnd = this.#skipBlank(at);
      const code = text.charCodeAt(blankEnd);
      if (code === GREATER || code === SLASH) {
        this.#isEmpty = code === SLASH;
        if (!this.#isEmpty) return blankEnd + 1;
        return text.charCodeAt(blankEnd + 1) === GREATER ? blankEnd + 2 : -1;
      }
      if (blankEnd === at) return -1;
      at = this.#attribute(blankEnd, outer);
      if (at < 0) return -1;
    }
    return -1;
  }

  #attribute(start: number, outerDeclarations: number): number {
    const text = this.#text;
    const nameEnd = this.#name(start);
    if (nameEnd < 0 || text.charCodeAt(nameEnd) !== EQUALS) return -1;
    const quote = text.charCodeAt(nameEnd + 1);
    if (quote !== DOUBLE_QUOTE && quote !== SINGLE_QUOTE) return -1;
    let end = nameEnd + 2;
    for (; end < text.length; end++) {
      const code = text.charCodeAt(end);
      if (code === quote) break;
      // Tabs and line feeds in values would have to be normalised.
      if (code < SPACE || code === LESS) return -1;
    }
    const value = text.slice(nameEnd + 2, end);
    if (this.#prefix === "xmlns") {
      if (value === "" || !this.#declare(this.#local, value, outerDeclarations)) return -1;
    } else if (this.#prefix === "" && this.#local === "xmlns") {
      if (!this.#declare("", value, outerDeclarations)) return -1;
    } else this.#attributes.push({ prefix: this.#prefix, name: this.#local, value });
    return end + 1;
  }

  /** Notes a namespace; false when it is of a kind that needs a closer look. */
  #declare(prefix: string, namespace: string, outerDeclarations: number): boolean {
    if (this.#prefixes.length >= this.#maxAttributes || this.#prefixes.indexOf(prefix, outerDeclarations) >= 0) {
      return false;
    }
    if (prefix === "xml" || prefix === "xmlns" || namespace.startsWith("http://www.w3.org/2000/xmlns")) return false;
    if (namespace.startsWith("http://www.w3.org/XML/") || namespace !== namespace.trim()) return false;
    this.#prefixes.push(prefix);
    this.#namespaces.push(namespace);
    return true;
  }

  #forgetDeclarations(left: number): void {
    while (this.#prefixes.length > left) {
      this.#prefixes.pop();
      this.#namespaces.pop();
    }
  }

  /** Undefined for a prefix that is not declared. */
  #namespaceOf(prefix: string): string | undefined {
    const index = this.#prefixes.lastIndexOf(prefix);
    return index < 0 && prefix === "" ? "" : this.#namespaces[index];
  }

  /** Undefined where two have one name, or a prefix is not declared. */
  #resolvedAttributes(): readonly XmlAttribute[] | undefined {
    if (this.#attributes.length === 0) return NO_ATTRIBUTES;
    const resolved: XmlAttribute[] = [];
    for (const { prefix, name, value } of this.#attributes) {
      const namespace = prefix === "" ? "" : this.#namespaceOf(prefix);
      if (namespace === undefined) return undefined;
      for (const other of resolved) if (other.name === name && other.namespace === namespace) return undefined;
      resolved.push({ namespace, name, value });
    }
    return resolved;
  }

  /** Reads a name with at most one colon. Returns the position behind it. */
  #name(start: number): number {
    const text = this.#text;
    const end = this.#namePartEnd(start);
    if (end < 0) return -1;
    if (text.charCodeAt(end) !== COLON) {
      this.#prefix = "";
      this.#local = text.slice(start, end);
      return end;
    }
    const localEnd = this.#namePartEnd(end + 1);
    if (localEnd < 0 || text.charCodeAt(localEnd) === COLON) return -1;
    this.#prefix = text.slice(start, end);
    this.#local = text.slice(end + 1, localEnd);
    return localEnd;
  }

  #namePartEnd(start: number): number {
    const text = this.#text;
    let at = start;
    if (((NAME_CHARACTERS[text.charCodeAt(at)] ?? 0) & BEGINS_NAME) === 0) return -1;
    do at++;
    while (((NAME_CHARACTERS[text.charCodeAt(at)] ?? 0) & CONTINUES_NAME) !== 0);
    return at;
  }

  #skipBlank(start: number): number {
    let at = start;
    while (isBlank(this.#text.charCodeAt(at))) at++;
    return at;
  }
}

/**
 * Reads a document that is plain: elements, attributes and texts without references, comments, CDATA or anything else
 * that takes rules to understand, names in ASCII, few attributes. Nearly all that stations send is. Says undefined of
 * every other document, be it lawful or not: this reader refuses nothing, and what it reads, any reader would read alike.
 *
 * @param text begins with the XML declaration or the root element.
 */
export function readPlainXml(text: string, maxDepth: number, maxAttributes: number): XmlElement | undefined {
  if (NOT_PLAIN.test(text)) return undefined;
  const declaration = text.startsWith("<?") ? DECLARATION.exec(text) : undefined;
  if (declaration === null) return undefined;
  return new PlainReader(text, maxDepth, maxAttributes).document(declaration?.[0].length ?? 0);
}
