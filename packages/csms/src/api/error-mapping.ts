import { CallQueueFullError, CallTimeoutError, UnknownActionError, ValidationError } from "@polyphase/ocpp";
import type { FastifyError } from "fastify";
import { ColumnRangeError } from "../database/column-codec.ts";
import { DatabaseUnavailableError } from "../database/write-unit.ts";
import { UnknownCommandError } from "../gateway/commands.ts";
import {
  CommandNotSupportedError,
  StationAnsweredError,
  StationOfflineError,
  StationTimeoutError,
} from "../gateway/station-messages.ts";
import { fieldProblems, pointerTo } from "./field-problems.ts";
import { invalid, ProblemError, type ProblemExtras } from "./problem.ts";
import { type ProblemSlug, problemTypes } from "./problem-types.ts";

/** Turns whatever a route threw into the problem that the client is told. What is not foreseen becomes `internal`. */
export function toProblem(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  return fromStation(error) ?? fromDatabase(error) ?? fromFastify(error) ?? known("internal", error);
}

/** A problem of a type in the table. */
export function known(
  slug: ProblemSlug,
  cause: unknown,
  detail?: string,
  extras?: ProblemExtras,
  headers?: Readonly<Record<string, string>>,
): ProblemError {
  const { status, title } = problemTypes[slug];
  return new ProblemError(status, slug, title, detail, extras, {
    cause,
    ...(headers === undefined ? {} : { headers }),
  });
}

function fromStation(error: unknown): ProblemError | undefined {
  if (error instanceof StationOfflineError) {
    return known("station-offline", error, error.message, { stationId: error.stationId, wasAsked: error.wasAsked });
  }
  if (error instanceof StationTimeoutError) {
    return known("station-timeout", error, error.message, { stationId: error.stationId, timeoutMs: error.timeoutMs });
  }
  if (error instanceof StationAnsweredError) {
    const extras = { stationId: error.stationId, code: error.code };
    return known("station-answered-error", error, error.message, extras);
  }
  if (error instanceof CommandNotSupportedError) {
    const extras = { stationId: error.stationId, command: error.command };
    return known("command-not-supported", error, error.message, extras);
  }
  if (error instanceof CallQueueFullError || (error instanceof CallTimeoutError && !error.sent)) {
    return known("station-busy", error, error.message, { action: error.action }, { "retry-after": "1" });
  }
  if (error instanceof UnknownCommandError) {
    return known("unknown-command", error, error.message, { command: error.command });
  }
  if (error instanceof UnknownActionError) {
    return known("unknown-action", error, error.message, { action: error.action, version: error.version });
  }
  if (error instanceof ValidationError) return fromPayload(error);
  return undefined;
}

function fromPayload(error: ValidationError): ProblemError {
  if (error.direction === "response") {
    return known("station-answered-error", error, error.message, { code: error.code });
  }
  const { path, rule, expected } = error.violation;
  // Of a missing or unknown property the path is that of the object it should, or should not, be in.
  const isNamed = rule === "required" || rule === "additionalProperties";
  const field = isNamed ? pointerTo(path, expected) : path;
  return invalid([{ in: "body", field, rule, message: error.message }]);
}

/** Conditions of PostgreSQL and of sockets that mean "not now" and not "wrong". */
const UNAVAILABLE_CODES = /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|ENOENT|08...|53...|57P0.)$/;

/** Numbers, times and identifiers that no column could hold, and texts that no index could. */
const BEYOND_CODES = /^(22003|22007|22008|22P02|54000)$/;

function fromDatabase(error: unknown): ProblemError | undefined {
  const retry = { "retry-after": "1" };
  if (error instanceof DatabaseUnavailableError) return known("database-unavailable", error, undefined, {}, retry);
  if (!(error instanceof Error)) return undefined;
  const code = (error as { code?: unknown }).code;
  if (code === "22021" || code === "22P05") {
    return invalid([{ in: "body", field: "", rule: "characters", message: "holds a character that cannot be stored" }]);
  }
  if (error instanceof ColumnRangeError || (typeof code === "string" && BEYOND_CODES.test(code))) {
    return invalid([
      { in: "query", field: "", rule: "range", message: "holds a value beyond what is stored anywhere" },
    ]);
  }
  const isLost = /^(Connection terminated|timeout exceeded)/.test(error.message);
  if (isLost || (typeof code === "string" && isDatabaseCode(error, code))) {
    return known("database-unavailable", error, undefined, {}, retry);
  }
  return undefined;
}

function isDatabaseCode(error: Error, code: string): boolean {
  if (!UNAVAILABLE_CODES.test(code)) return false;
  // A missing file is not a missing database: ENOENT counts only where a socket could not be opened.
  return code !== "ENOENT" || (error as { syscall?: unknown }).syscall === "connect";
}

function fromFastify(error: unknown): ProblemError | undefined {
  if (!(error instanceof Error)) return undefined;
  const { validation, validationContext, code, statusCode } = error as Partial<FastifyError>;
  if (validation !== undefined) return invalid(fieldProblems(validation, validationContext));
  switch (code) {
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return known("unsupported-media-type", error, error.message);
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return known("body-too-large", error);
    case "FST_ERR_BAD_URL":
    case "FST_ERR_MAX_PARAM_LENGTH":
      return invalid([{ in: "path", field: "", rule: "format", message: "is not a valid path" }]);
    default:
  }
  if (statusCode === 400) return known("malformed-body", error, error.message);
  return undefined;
}
