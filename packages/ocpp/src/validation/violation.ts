/** The JSON kind of a value, for messages that must not repeat the value itself. */
export type ValueKind = "null" | "boolean" | "integer" | "number" | "string" | "array" | "object" | "absent";

/** The first rule of a schema that a payload breaks. */
export interface Violation {
  /** JSON pointer to the offending value, "" for the payload itself. */
  readonly path: string;
  /** The JSON Schema keyword that failed: `required`, `enum`, `maxLength`, … */
  readonly rule: string;
  /** What the rule wants: a length, a type, a property's name, the allowed values. */
  readonly expected: string;
  /** Kind of the value found. */
  readonly kind: ValueKind;
}

/** Kind of a JSON value. */
export function kindOf(value: unknown): ValueKind {
  if (value === undefined) return "absent";
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  if (typeof value === "boolean" || typeof value === "string") return typeof value as "boolean" | "string";
  return "object";
}

/** One sentence that names path, rule and kind, and never the value (it may be a secret). */
export function describeViolation(violation: Violation): string {
  const { path, rule, expected, kind } = violation;
  const place = path === "" ? "payload" : path;
  if (rule === "required") return `${place} lacks the required property ${expected}`;
  if (rule === "additionalProperties") return `${place} has the unknown property ${expected}`;
  return `${place} (${kind}) breaks ${rule}: ${expected}`;
}

interface AjvError {
  readonly instancePath: string;
  readonly keyword: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** A function that the generator wrote: true, or false with the reason in `errors`. */
export interface GeneratedValidator {
  (payload: unknown): boolean;
  errors?: readonly AjvError[] | null;
}

function valueAt(payload: unknown, pointer: string): unknown {
  let value = payload;
  for (const step of pointer.split("/").slice(1)) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<string, unknown>)[step.replaceAll("~1", "/").replaceAll("~0", "~")];
  }
  return value;
}

function expectation(error: AjvError): string {
  const { keyword, params } = error;
  switch (keyword) {
    case "required":
      return String(params.missingProperty);
    case "additionalProperties":
      return String(params.additionalProperty).slice(0, 50);
    case "type":
      return String(params.type);
    case "format":
      return String(params.format);
    case "enum": {
      const allowed = (params.allowedValues as readonly unknown[]).join(", ");
      return `one of ${allowed.length > 120 ? `${allowed.slice(0, 117)}...` : allowed}`;
    }
    case "multipleOf":
      return `a multiple of ${params.multipleOf}`;
    default:
      return params.limit === undefined ? keyword : String(params.limit);
  }
}

/** Runs a generated validator and returns the first violation, or undefined. The payload is never changed. */
export function firstViolation(validator: GeneratedValidator, payload: unknown): Violation | undefined {
  if (validator(payload)) return undefined;
  const error = validator.errors?.[0];
  if (error === undefined) return { path: "", rule: "schema", expected: "a valid payload", kind: kindOf(payload) };
  return {
    path: error.instancePath,
    rule: error.keyword,
    expected: expectation(error),
    kind: kindOf(valueAt(payload, error.instancePath)),
  };
}
