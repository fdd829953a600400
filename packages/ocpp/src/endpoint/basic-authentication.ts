const COLON = 0x3a;

/** Credentials of HTTP Basic authentication, as the bytes that were sent: a key of 1.6 is binary. */
export interface BasicCredentials {
  readonly username: Buffer;
  readonly password: Buffer;
}

/** Reads an Authorization header of scheme Basic; split at the first colon, on bytes. */
export function basicCredentials(header: string | undefined): BasicCredentials | undefined {
  const match = /^Basic +([A-Za-z0-9+/_-]+={0,2}) *$/i.exec(header ?? "");
  if (match?.[1] === undefined) return undefined;
  const bytes = Buffer.from(match[1], "base64");
  const colon = bytes.indexOf(COLON);
  if (colon < 0) return undefined;
  return { username: bytes.subarray(0, colon), password: bytes.subarray(colon + 1) };
}

/** The value of an Authorization header of scheme Basic. */
export function basicAuthorization(username: string, password: string | Buffer): string {
  const bytes = Buffer.concat([Buffer.from(`${username}:`), Buffer.from(password)]);
  return `Basic ${bytes.toString("base64")}`;
}
