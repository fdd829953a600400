import { describe, expect, it } from "vitest";
import { OcppError, ValidationError } from "./errors.ts";

describe("errors as they are thrown", () => {
  it("a ValidationError names action, place and rule, and never the value", () => {
    const violation = { path: "/idTag", rule: "maxLength", expected: "20", kind: "string" } as const;
    const error = new ValidationError("1.6", "Authorize", "request", violation);
    expect(error).toBeInstanceOf(OcppError);
    expect(error).toMatchObject({
      name: "ValidationError",
      code: "PropertyConstraintViolation",
      message: "Authorize request: /idTag (string) breaks maxLength: 20",
      details: { path: "/idTag", rule: "maxLength" },
      action: "Authorize",
      direction: "request",
    });
  });

  it("an OcppError keeps its cause, and has empty details unless given some", () => {
    const cause = new Error("the disk is full");
    expect(new OcppError("InternalError", "not stored", { cause })).toMatchObject({ cause, details: {} });
    expect("cause" in new OcppError("InternalError", "not stored")).toBe(false);
  });
});
