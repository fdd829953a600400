import type { IncomingMessage, ServerResponse } from "node:http";
import { TLSSocket } from "node:tls";
import { type SoapService, type SoapVersion, soapVersions } from "./soap-version.ts";
import { describeService } from "./wsdl.ts";

/** The address that the client used, for services that were not told their own. */
function addressUsed(request: IncomingMessage): string {
  const scheme = request.socket instanceof TLSSocket ? "https" : "http";
  const host = /^[\w.:[\]-]+$/.exec(request.headers.host ?? "")?.[0] ?? "localhost";
  const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
  return `${scheme}://${host}${encodeURI(decodeLeniently(path))}`;
}

function decodeLeniently(path: string): string {
  try {
    return decodeURI(path);
  } catch {
    return "/";
  }
}

/** The version that `?wsdl` (the newest) or `?wsdl=1.5` asks for; undefined for any other query. */
function versionAskedFor(query: string, versions: ReadonlySet<SoapVersion>): SoapVersion | undefined {
  const asked = [...new URLSearchParams(query)].find(([name]) => name.toLowerCase() === "wsdl");
  if (asked === undefined) return undefined;
  const offered = soapVersions.filter((version) => versions.has(version));
  return asked[1] === "" ? offered.at(-1) : offered.find((version) => version === asked[1]);
}

/** Answers a request that is not a POST: the service description at `?wsdl`, or the methods that exist. */
export function answerDescription(
  request: IncomingMessage,
  response: ServerResponse,
  query: string,
  versions: ReadonlySet<SoapVersion>,
  publicUrl: string | undefined,
  service: SoapService = "CentralSystemService",
): void {
  request.resume();
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.writeHead(405, { allow: "GET, HEAD, POST" }).end();
    return;
  }
  const version = versionAskedFor(query, versions);
  if (version === undefined) {
    response.writeHead(query === "" ? 405 : 404, { allow: "GET, HEAD, POST", "content-type": "text/plain" });
    response.end("This is an OCPP-S endpoint. Its description is at ?wsdl\n");
    return;
  }
  const description = describeService(version, service, publicUrl ?? addressUsed(request));
  response.writeHead(200, {
    "content-type": "text/xml; charset=utf-8",
    "content-length": Buffer.byteLength(description),
  });
  response.end(request.method === "HEAD" ? undefined : description);
}
