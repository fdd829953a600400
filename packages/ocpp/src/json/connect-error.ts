/** An attempt to connect failed. */
export class ConnectError extends Error {
  override readonly name = "ConnectError";
  /** Status of the HTTP response that refused the handshake, if there was one: 404 for an unknown identity, 401 for a wrong password. */
  readonly status: number | undefined;

  constructor(message: string, options: { status?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.status = options.status;
  }
}

/** What made an attempt fail, in the words of OCPP. */
export function connectError(error: Error): ConnectError {
  if (error instanceof ConnectError) return error;
  const message = /no subprotocol|invalid subprotocol/i.test(error.message)
    ? "the CSMS speaks none of the offered OCPP versions"
    : `cannot connect: ${error.message}`;
  return new ConnectError(message, { cause: error });
}
