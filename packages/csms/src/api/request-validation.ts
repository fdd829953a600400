import type { FastifySchemaCompiler, FastifySchemaValidationError } from "fastify";
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { Value } from "typebox/value";

/** Most broken rules that one answer names. */
const MAX_ERRORS = 20;

/**
 * Validates the parts of a request. Query, path and headers are text and are converted to the types of their schema;
 * a body is JSON and must have the right types itself. Defaults are filled in everywhere.
 */
export const requestValidatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const check = Compile(schema);
  return (given: unknown) => {
    const completed = Value.Default(schema, given);
    const value = httpPart === "body" ? completed : Value.Convert(schema, completed);
    if (check.Check(value)) return { value };
    const errors = check.Errors(value).slice(0, MAX_ERRORS);
    return { error: errors as FastifySchemaValidationError[] as unknown as Error };
  };
};
