import type { IncomingMessage } from "node:http";
import type { ClientOptions } from "ws";
import { basicAuthorization } from "../endpoint/basic-authentication.ts";
import { deflateOptions } from "./compression.ts";
import { ConnectError, connectError } from "./connect-error.ts";
import { subprotocolOf } from "./handshake.ts";
import type { JsonStationOptions } from "./json-station-options.ts";
import { OcppSocket } from "./ocpp-socket.ts";

const CLOSE_HANDSHAKE_MS = 5_000;

/** What an attempt depends on. */
export type DialOptions = Pick<
  JsonStationOptions,
  "url" | "identity" | "versions" | "password" | "tls" | "headers" | "handshakeTimeoutMs" | "compression"
>;

/** What becomes of one attempt to connect: one of the two is called, once. */
export interface Attempt {
  opened(socket: OcppSocket): void;
  failed(socket: OcppSocket, error: ConnectError): void;
}

/**
 * Begins one attempt to connect.
 *
 * @throws ConnectError when the URL, the identity, a header or the TLS options are none
 */
export function dial(options: DialOptions, maxFrameBytes: number, attempt: Attempt): OcppSocket {
  let socket: OcppSocket;
  try {
    socket = createSocket(options, maxFrameBytes);
  } catch (error) {
    throw connectError(error as Error);
  }
  let failure: ConnectError | undefined;
  socket.on("unexpected-response", (request, response: IncomingMessage) => {
    const status = response.statusCode ?? 0;
    failure = new ConnectError(`the CSMS refused the handshake with status ${status}`, { status });
    request.destroy();
    response.destroy();
    socket.terminate();
  });
  socket.on("error", (error: Error) => {
    failure ??= connectError(error);
  });
  socket.once("close", () => {
    // The end of a socket that carries a peer is the peer's affair.
    if (socket.peer !== undefined) return;
    attempt.failed(socket, failure ?? new ConnectError("the connection ended during the handshake"));
  });
  socket.once("open", () => attempt.opened(socket));
  return socket;
}

function createSocket(options: DialOptions, maxFrameBytes: number): OcppSocket {
  const { url, identity, versions, compression, headers, password, tls } = options;
  const target = `${url.replace(/\/+$/, "")}/${encodeURIComponent(identity)}`;
  const clientOptions: ClientOptions & { closeTimeout: number } = {
    ...(tls as ClientOptions | undefined),
    headers: {
      ...(password !== undefined && { Authorization: basicAuthorization(identity, password) }),
      ...headers,
    },
    handshakeTimeout: options.handshakeTimeoutMs ?? 30_000,
    maxPayload: maxFrameBytes,
    perMessageDeflate: deflateOptions(compression),
    closeTimeout: CLOSE_HANDSHAKE_MS,
  };
  return new OcppSocket(target, versions.map(subprotocolOf), clientOptions);
}
