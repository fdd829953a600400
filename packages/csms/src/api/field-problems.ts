import type { FastifySchemaValidationError } from "fastify";
import type { FieldProblem } from "./problem.ts";

const PARTS: Readonly<Record<string, FieldProblem["in"]>> = {
  body: "body",
  querystring: "query",
  params: "path",
  headers: "headers",
};

/** Says in the words of the API which fields of a request break which rules, each once. */
export function fieldProblems(
  errors: readonly FastifySchemaValidationError[],
  context: string | undefined,
): FieldProblem[] {
  const part = PARTS[context ?? "body"] ?? "body";
  const problems = errors.flatMap((error) => describe(error, errors).map((problem) => ({ in: part, ...problem })));
  const seen = new Set<string>();
  return problems.filter(({ field, rule }) => {
    const key = `${field} ${rule}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

type Described = Omit<FieldProblem, "in">;

function describe(
  error: FastifySchemaValidationError,
  all: readonly FastifySchemaValidationError[],
): readonly Described[] {
  const { instancePath, keyword, params, message } = error;
  switch (keyword) {
    case "required":
      return namesOf(params.requiredProperties).map((name) => at(instancePath, name, keyword, "is required"));
    case "additionalProperties":
      return namesOf(params.additionalProperties).map((name) => at(instancePath, name, keyword, "is not known here"));
    case "boolean":
      // The same surplus property as `additionalProperties` tells.
      return [];
    case "const":
      return isAlternative(error) ? [] : [{ field: instancePath, rule: keyword, message: message ?? "is not allowed" }];
    case "anyOf": {
      const allowed = all.filter((one) => one.instancePath === instancePath && isAlternative(one));
      if (allowed.length === 0) break;
      const values = allowed.map((one) => JSON.stringify(one.params.allowedValue));
      return [{ field: instancePath, rule: "enum", message: `must be one of ${values.join(", ")}` }];
    }
    default:
  }
  return [{ field: instancePath, rule: keyword, message: message ?? `breaks the rule ${keyword}` }];
}

/** One value of several allowed ones: a list of literals is `anyOf` of `const`. */
function isAlternative({ keyword, schemaPath }: FastifySchemaValidationError): boolean {
  return keyword === "const" && /\/anyOf\/\d+$/.test(schemaPath);
}

function namesOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((name) => typeof name === "string") : [];
}

/** JSON pointer to a property of what another pointer points to. */
export function pointerTo(path: string, name: string): string {
  return `${path}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

function at(path: string, name: string, rule: string, message: string): Described {
  return { field: pointerTo(path, name), rule, message };
}
