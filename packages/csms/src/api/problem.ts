import { Type } from "typebox";

/** Media type of RFC 9457. */
export const PROBLEM_MEDIA_TYPE = "application/problem+json; charset=utf-8";

/** Where the description of a problem type is served; also the beginning of every `type`. */
export const PROBLEM_PATH = "/api/problems";

/** One rule that a request broke. */
export interface FieldProblem {
  /** Part of the request. */
  readonly in: "body" | "query" | "path" | "headers";
  /** JSON pointer to the value, empty for the whole part. */
  readonly field: string;
  /** Keyword of JSON Schema that failed, for example `required` or `maxLength`. */
  readonly rule: string;
  readonly message: string;
}

/** Members of a problem document beyond those of RFC 9457. */
export type ProblemExtras = Readonly<Record<string, unknown>>;

/**
 * An error with its problem document (RFC 9457). Throw it in a route to answer with it.
 *
 * @example
 * ```ts
 * throw new ProblemError(404, "not-found", "Not found", `there is no station ${id}`);
 * ```
 */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  /** HTTP status, 400 to 599. */
  readonly status: number;
  /** Slug of the problem type in kebab-case; clients decide by it. */
  readonly type: string;
  /** The same text for every problem of this type. */
  readonly title: string;
  /** What happened this time. */
  readonly detail: string | undefined;
  readonly extras: ProblemExtras;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    type: string,
    title: string,
    detail?: string,
    extras: ProblemExtras = {},
    options: { cause?: unknown; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(detail ?? title, options.cause === undefined ? undefined : { cause: options.cause });
    this.status = status;
    this.type = type;
    this.title = title;
    this.detail = detail;
    this.extras = extras;
    this.headers = options.headers ?? {};
  }
}

/** 404 for a resource, as `notFound("station", id)`. */
export function notFound(kind: string, id: string): ProblemError {
  return new ProblemError(404, "not-found", "Not found", `there is no ${kind} ${id}`);
}

/** 409 for a request that the present state of a resource does not allow. */
export function conflict(detail: string): ProblemError {
  return new ProblemError(409, "conflict", "The resource's state does not allow this", detail);
}

/** 400 that names the fields and the rules they break. */
export function invalid(errors: readonly FieldProblem[]): ProblemError {
  const detail = errors.map((error) => `${error.in}${error.field}: ${error.message}`).join("; ");
  return new ProblemError(400, "validation", "The request is not valid", detail, { errors });
}

/** The problem document itself. Extras cannot replace the members of RFC 9457. */
export function problemDocument(problem: ProblemError, requestId: string): Record<string, unknown> {
  const members = {
    type: `${PROBLEM_PATH}/${problem.type}`,
    title: problem.title,
    status: problem.status,
    ...(problem.detail === undefined ? {} : { detail: problem.detail }),
    requestId,
  };
  return { ...members, ...problem.extras, ...members };
}

/** Schema of the problem document, named `Problem` in the OpenAPI document. */
export const ProblemSchema = Type.Object(
  {
    type: Type.String({ format: "uri-reference", description: "Kind of problem; decide by it" }),
    title: Type.String(),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    detail: Type.Optional(Type.String()),
    requestId: Type.String({ description: "Finds the request in the server's log" }),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          in: Type.Union([Type.Literal("body"), Type.Literal("query"), Type.Literal("path"), Type.Literal("headers")]),
          field: Type.String({ description: "JSON pointer" }),
          rule: Type.String({ description: "Keyword of JSON Schema" }),
          message: Type.String(),
        }),
      ),
    ),
  },
  { $id: "Problem", additionalProperties: true, description: "RFC 9457 problem document" },
);
