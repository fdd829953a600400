import { type DestinationStream, type Logger, pino } from "pino";

/** Fields that never reach a log, wherever a caller puts a request, a header set or a payload. */
const REDACTED_PATHS: readonly string[] = [
  ...["authorization", "cookie", '["set-cookie"]', '["proxy-authorization"]'].flatMap((header) => [
    dotted("headers", header),
    dotted("req.headers", header),
    dotted("request.headers", header),
    dotted("res.headers", header),
  ]),
  ...["password", "basicAuthPassword", "secret", "token", "privateKey", "adminToken"].flatMap((field) => [
    field,
    `*.${field}`,
    `*.*.${field}`,
  ]),
];

/** Levels a log may be limited to. */
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

/**
 * The process's log: one JSON object a line, to standard output unless told otherwise. Authorization headers,
 * passwords, secrets and tokens are replaced by `[redacted]`.
 */
export function createLog(options: { level?: LogLevel; destination?: DestinationStream } = {}): Logger {
  const settings = {
    level: options.level ?? "info",
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: [...REDACTED_PATHS], censor: "[redacted]" },
  };
  return options.destination === undefined ? pino(settings) : pino(settings, options.destination);
}

function dotted(parent: string, key: string): string {
  return key.startsWith("[") ? `${parent}${key}` : `${parent}.${key}`;
}
