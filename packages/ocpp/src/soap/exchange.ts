import { type ClientRequest, type Agent as HttpAgent, type IncomingMessage, request as requestHttp } from "node:http";
import { type Agent as HttpsAgent, request as requestHttps } from "node:https";
import { NotConnectedError } from "../errors.ts";
import { type ContentCoding, compressText, HttpBodyError, readBody } from "./http-body.ts";

/** One HTTP request that carries an envelope. */
export interface Exchange {
  readonly url: URL;
  readonly action: string;
  readonly envelope: string;
  /** Ends the exchange; its reason is thrown. */
  readonly signal: AbortSignal;
  readonly maxBodyBytes: number;
  readonly httpAgent: HttpAgent | undefined;
  readonly httpsAgent: HttpsAgent | undefined;
  /** Value of the Authorization header. */
  readonly authorization: string | undefined;
  readonly compression: ContentCoding | undefined;
}

/** What came back, whatever the status. */
export interface ExchangeResult {
  readonly status: number;
  readonly statusText: string;
  readonly contentType: string | undefined;
  readonly body: Buffer;
}

interface Attempt {
  readonly result: Promise<ExchangeResult>;
  /** Whether an idle connection was used again that the peer may have closed meanwhile. */
  reusedSocket(): boolean;
}

function attempt(exchange: Exchange, body: Buffer): Attempt {
  const { url, action, authorization, compression, signal } = exchange;
  const secure = url.protocol === "https:";
  const options = {
    method: "POST",
    signal,
    ...(secure ? { agent: exchange.httpsAgent } : { agent: exchange.httpAgent }),
    headers: {
      "content-type": `application/soap+xml; charset=utf-8; action="/${action}"`,
      "content-length": body.length,
      accept: "application/soap+xml, text/xml",
      "accept-encoding": "gzip, deflate",
      ...(compression && { "content-encoding": compression }),
      ...(authorization && { authorization }),
    },
  };
  let request: ClientRequest;
  let connected = false;
  const result = new Promise<IncomingMessage>((resolve, reject) => {
    request = secure ? requestHttps(url, options) : requestHttp(url, options);
    request.once("socket", (socket) => {
      if (!socket.connecting) connected = true;
      else
        socket.once(secure ? "secureConnect" : "connect", () => {
          connected = true;
        });
    });
    request.once("response", resolve);
    request.on("error", (error: NodeJS.ErrnoException) => {
      if (signal.aborted) reject(signal.reason);
      else if (error.code?.startsWith("HPE_")) reject(new HttpBodyError(400, "the response is not HTTP", error));
      else reject(new NotConnectedError(action, connected, error));
    });
    request.end(body);
  }).then(async (response) => {
    try {
      const bytes = await readBody(response, exchange.maxBodyBytes);
      return {
        status: response.statusCode ?? 0,
        statusText: response.statusMessage ?? "",
        contentType: response.headers["content-type"],
        body: bytes,
      };
    } catch (error) {
      request.destroy();
      if (signal.aborted) throw signal.reason;
      throw error instanceof HttpBodyError ? error : new NotConnectedError(action, true, error);
    }
  });
  return { result, reusedSocket: () => request.reusedSocket };
}

function isReset(error: unknown): boolean {
  const code = error instanceof NotConnectedError ? (error.cause as NodeJS.ErrnoException).code : undefined;
  return code === "ECONNRESET" || code === "EPIPE";
}

/**
 * Posts an envelope and collects the response.
 *
 * @throws NotConnectedError when the peer cannot be reached or the connection breaks
 * @throws HttpBodyError when the response is not HTTP, too large or cannot be decompressed
 */
export async function exchangeEnvelope(exchange: Exchange): Promise<ExchangeResult> {
  const body = exchange.compression
    ? await compressText(exchange.envelope, exchange.compression)
    : Buffer.from(exchange.envelope, "utf8");
  exchange.signal.throwIfAborted();
  const first = attempt(exchange, body);
  try {
    return await first.result;
  } catch (error) {
    // The peer closed an idle connection while the request was on its way, so it has not taken the request: Node.js
    // documents this one case (`request.reusedSocket`) as safe to send again, and the message id stays the same.
    if (first.reusedSocket() && isReset(error)) return attempt(exchange, body).result;
    throw error;
  }
}
