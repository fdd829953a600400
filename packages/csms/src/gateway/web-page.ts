import type { IncomingHttpHeaders } from "node:http";
import type { Refusal } from "./station-authentication.ts";

/** Every browser begins with it, and a page cannot change it. */
const browserName = /^Mozilla\//i;

/**
 * The origin of the web page that sent a request; undefined for whatever is no page in a browser. A browser names the
 * origin (RFC 6455 §10.2) and itself, and no script can keep either back. The origin alone proves nothing: the WebSocket
 * client of many small boards sends `file://`, others the address of the server or the name of the board; and a browser's
 * name alone is also what some SOAP clients give themselves.
 */
export function pageOrigin(headers: IncomingHttpHeaders): string | undefined {
  const { origin } = headers;
  if (origin === undefined) return undefined;
  const isBrowser = browserName.test(headers["user-agent"] ?? "") || headers["sec-fetch-mode"] !== undefined;
  return isBrowser ? origin.toLowerCase() : undefined;
}

/**
 * Keeps web pages from speaking as stations: any page that a person opens could otherwise connect to a CSMS that this
 * person's machine reaches, even one on the loopback interface only. It does not matter whether the page seems to
 * come from this server: a name of the page's owner can be made to lead here after the page was loaded.
 */
export class WebPages {
  readonly #allowed: ReadonlySet<string>;

  /** `allowed` are origins such as `https://simulator.example`. */
  constructor(allowed: readonly string[] = []) {
    this.#allowed = new Set(allowed.map((origin) => origin.toLowerCase()));
  }

  /** The origin of the page that sent this request and may not; undefined when the request may be served. */
  refusedOrigin(headers: IncomingHttpHeaders): string | undefined {
    const origin = pageOrigin(headers);
    return origin === undefined || this.#allowed.has(origin) ? undefined : origin;
  }
}

/** What a page is told that may not speak as a station. */
export function pageRefusal(origin: string): Refusal {
  const reason = `web pages may not connect as stations; POLYPHASE_STATION_ORIGINS does not name ${origin}`;
  return { accept: false, status: 403, cause: "web-page", reason };
}
