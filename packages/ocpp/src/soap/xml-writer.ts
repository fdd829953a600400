import { unencodableCharacter } from "./xml-reader.ts";

/** A text holds a character that XML 1.0 cannot carry in any spelling, such as NUL. */
export class XmlCharacterError extends Error {
  override readonly name = "XmlCharacterError";
  /** The character as `U+0000`. */
  readonly character: string;

  /** JSON pointer to the text inside the payload, where it is part of one. */
  readonly path: string;

  constructor(character: string, path = "") {
    super(`XML cannot carry the character ${character}`);
    this.character = character;
    this.path = path;
  }
}

const TEXT_SPECIAL = /[&<>\r]/g;
const ATTRIBUTE_SPECIAL = /[&<>"\t\n\r]/g;

const REPLACEMENTS: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  // Readers turn these into a line feed or a space unless they come as references (XML 1.0 §2.11, §3.3.3).
  "\r": "&#13;",
  "\n": "&#10;",
  "\t": "&#9;",
};

/** Nothing in it is to be escaped or refused. Most texts are so, and this is quicker to find out than the rest. */
const PLAIN = /^[\x20-\x21\x23-\x25\x27-\x3B\x3D\x3F-\x7E]*$/;

function escaped(text: string, special: RegExp): string {
  if (PLAIN.test(text)) return text;
  const character = unencodableCharacter(text);
  if (character !== undefined) throw new XmlCharacterError(character);
  return text.replace(special, (found) => REPLACEMENTS[found] ?? found);
}

/**
 * Escapes text content so that a reader gets it back unchanged.
 *
 * @throws XmlCharacterError when XML cannot carry the text.
 */
export function escapeText(text: string): string {
  return escaped(text, TEXT_SPECIAL);
}

/**
 * Escapes the value of an attribute in double quotes so that a reader gets it back unchanged.
 *
 * @throws XmlCharacterError when XML cannot carry the text.
 */
export function escapeAttribute(text: string): string {
  return escaped(text, ATTRIBUTE_SPECIAL);
}
