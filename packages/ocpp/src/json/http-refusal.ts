import { STATUS_CODES, validateHeaderName, validateHeaderValue } from "node:http";
import type { Duplex } from "node:stream";

function isSafe(name: string, value: string): boolean {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return true;
  } catch {
    return false;
  }
}

/** Answers an upgrade request with an HTTP status and ends its socket. Headers that HTTP does not allow are left out. */
export function refuse(
  socket: Duplex,
  status: number,
  reason = STATUS_CODES[status] ?? "",
  headers: Readonly<Record<string, string>> = {},
): void {
  if (socket.destroyed) return;
  socket.on("error", () => socket.destroy());
  const body = `${reason}\n`;
  const all: Record<string, string> = {
    Connection: "close",
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": String(Buffer.byteLength(body)),
    ...(status === 401 && { "WWW-Authenticate": 'Basic realm="OCPP", charset="UTF-8"' }),
    ...headers,
  };
  const lines = Object.entries(all)
    .filter(([name, value]) => isSafe(name, value))
    .map(([name, value]) => `${name}: ${value}\r\n`);
  socket.once("finish", () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Error"}\r\n${lines.join("")}\r\n${body}`);
}
