import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { deflate, gunzip, gzip, inflate, inflateRaw } from "node:zlib";

/** Why a body could not be read. */
export class HttpBodyError extends Error {
  override readonly name = "HttpBodyError";
  /** HTTP status that tells the sender. */
  readonly status: 400 | 413 | 415 | 503;

  constructor(status: 400 | 413 | 415 | 503, reason: string, cause?: unknown) {
    super(reason, cause === undefined ? undefined : { cause });
    this.status = status;
  }
}

/** The compression methods that OCPP-S 1.6 §6.1 obliges both sides to support. */
export type ContentCoding = "gzip" | "deflate";

type Unzip = (bytes: Uint8Array, options: { maxOutputLength: number }) => Promise<Buffer>;
const unzip: Readonly<Record<"gzip" | "deflate" | "deflateRaw", Unzip>> = {
  gzip: promisify(gunzip) as Unzip,
  deflate: promisify(inflate) as Unzip,
  deflateRaw: promisify(inflateRaw) as Unzip,
};
const zip = { gzip: promisify(gzip), deflate: promisify(deflate) };

/** RFC 1950 §2.2: method 8 and a header that is a multiple of 31. Some stacks send bare RFC 1951 as "deflate". */
function hasZlibHeader(bytes: Uint8Array): boolean {
  const [first = 0, second = 0] = bytes;
  return (first & 0x0f) === 8 && ((first << 8) | second) % 31 === 0;
}

async function decompress(bytes: Buffer, coding: string, maxBytes: number): Promise<Buffer> {
  let method: keyof typeof unzip;
  if (coding === "gzip" || coding === "x-gzip") method = "gzip";
  else if (coding === "deflate") method = hasZlibHeader(bytes) ? "deflate" : "deflateRaw";
  else throw new HttpBodyError(415, "a content encoding other than gzip and deflate");
  try {
    return await unzip[method](bytes, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
      throw new HttpBodyError(413, `more than ${maxBytes} bytes when decompressed`, error);
    }
    throw new HttpBodyError(400, `a body that is not ${coding}`, error);
  }
}

/** The bytes that all unfinished bodies of an endpoint may take together. */
export class BodyBudget {
  #bytesLeft: number;

  constructor(bytes: number) {
    this.#bytesLeft = bytes;
  }

  /** False when so much is not left; then nothing was taken. */
  take(bytes: number): boolean {
    if (bytes > this.#bytesLeft) return false;
    this.#bytesLeft -= bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytesLeft += bytes;
  }
}

/**
 * Receives a request's or response's body as it is on the wire. Its bytes do not go beyond `maxBytes`, nor those of all
 * bodies that are received on one `budget` beyond that.
 *
 * @throws HttpBodyError when it is too large, or the budget is used up; the stream's error when it breaks off.
 */
export function receiveBody(message: IncomingMessage, maxBytes: number, budget?: BodyBudget): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let size = 0;
    let taken = 0;
    let isSettled = false;
    // The listeners stay, for an abort after this must not become an unhandled error, but hold nothing.
    const settle = (): readonly Buffer[] => {
      const received = chunks;
      chunks = [];
      isSettled = true;
      if (taken > 0) budget?.give(taken);
      return received;
    };
    const refuse = (error: Error) => {
      if (isSettled) return;
      settle();
      // What is left must not fill buffers.
      message.resume();
      reject(error);
    };
    message
      .on("data", (chunk: Buffer) => {
        if (isSettled) return;
        size += chunk.length;
        if (size > maxBytes) refuse(tooLarge(maxBytes));
        else if (budget?.take(chunk.length) === false) refuse(new HttpBodyError(503, "no capacity at present"));
        else {
          taken += chunk.length;
          chunks.push(chunk);
        }
      })
      .on("end", () => {
        if (isSettled) return;
        const received = settle();
        const [only] = received;
        resolve(received.length === 1 && only !== undefined ? only : Buffer.concat(received, size));
      })
      .on("error", refuse)
      .on("close", () => {
        if (!isSettled) refuse(new Error("the body broke off"));
      });
    if (Number(message.headers["content-length"] ?? 0) > maxBytes) refuse(tooLarge(maxBytes));
  });
}

function tooLarge(maxBytes: number): HttpBodyError {
  return new HttpBodyError(413, `more than ${maxBytes} bytes`);
}

/** Whether a body is compressed, or otherwise not what it says to be until it was decoded. */
export function isEncoded(message: IncomingMessage): boolean {
  const coding = message.headers["content-encoding"];
  return coding !== undefined && !/^ *(identity)? *$/i.test(coding);
}

/** Decompresses a body that was received, to at most `maxBytes`. @throws HttpBodyError when it is corrupt, too large or in an unknown encoding */
export async function decompressBody(message: IncomingMessage, bytes: Buffer, maxBytes: number): Promise<Buffer> {
  const coding = (message.headers["content-encoding"] ?? "identity").trim().toLowerCase();
  return coding === "identity" || coding === "" ? bytes : decompress(bytes, coding, maxBytes);
}

/** Receives and decompresses a body, each to at most `maxBytes`. Throws as {@link receiveBody} and {@link decompressBody}. */
export async function readBody(message: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return decompressBody(message, await receiveBody(message, maxBytes), maxBytes);
}

/** Compresses a text. */
export async function compressText(text: string, coding: ContentCoding): Promise<Buffer> {
  return zip[coding](text);
}

/** The coding that an `Accept-Encoding` header allows and we prefer, or undefined. */
export function acceptedCoding(header: string | string[] | undefined): ContentCoding | undefined {
  const accepted = new Set<string>();
  for (const item of String(header ?? "")
    .toLowerCase()
    .split(",")) {
    const [coding = "", ...parameters] = item.split(";").map((part) => part.trim());
    if (!parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))) accepted.add(coding);
  }
  if (accepted.has("gzip") || accepted.has("x-gzip")) return "gzip";
  return accepted.has("deflate") ? "deflate" : undefined;
}
