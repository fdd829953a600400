import { XmlSyntaxError } from "./xml-reader.ts";

/** Encodings that a SOAP peer may send in; WHATWG names. */
const ENCODINGS: Readonly<Record<string, string>> = {
  "utf-8": "utf-8",
  utf8: "utf-8",
  "us-ascii": "utf-8",
  ascii: "utf-8",
  "utf-16": "utf-16le",
  "utf-16le": "utf-16le",
  "utf-16be": "utf-16be",
  "iso-8859-1": "latin1",
  "latin-1": "latin1",
  latin1: "latin1",
  "windows-1252": "windows-1252",
};

/** Kept, for it holds nothing over from one document to the next; those of other encodings do after a fault. */
const utf8 = new TextDecoder("utf-8", { fatal: true });

function byteOrderMark(bytes: Uint8Array): string | undefined {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return "utf-8";
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return "utf-16be";
  return undefined;
}

function charsetOf(contentType: string | undefined): string | undefined {
  return /;\s*charset\s*=\s*"?([^";\s]+)"?/i.exec(contentType ?? "")?.[1];
}

function declaredEncoding(bytes: Uint8Array): string | undefined {
  let head = "";
  for (const byte of bytes.subarray(0, 100)) head += String.fromCharCode(byte);
  return /^\s*<\?xml\s[^>]*encoding\s*=\s*["']([A-Za-z0-9._-]+)["']/.exec(head)?.[1];
}

/**
 * Decodes an XML document by byte order mark, then the `charset` of the HTTP content type, then its own
 * declaration; UTF-8 otherwise (RFC 7303 §3).
 *
 * @throws XmlSyntaxError when the encoding is unknown or the bytes are not in it.
 */
export function decodeXml(bytes: Uint8Array, contentType?: string): string {
  const named = byteOrderMark(bytes) ?? charsetOf(contentType) ?? declaredEncoding(bytes) ?? "utf-8";
  const encoding = ENCODINGS[named.toLowerCase()];
  if (encoding === undefined) throw new XmlSyntaxError("an encoding other than UTF-8, UTF-16 and Latin-1", 0);
  try {
    return (encoding === "utf-8" ? utf8 : new TextDecoder(encoding, { fatal: true })).decode(bytes);
  } catch (cause) {
    const error = new XmlSyntaxError(`bytes that are not ${encoding}`, 0);
    error.cause = cause;
    throw error;
  }
}
