import { expect, it } from "vitest";
import { rejectionOfIgnored, rejectionOfRefused, rejectionOfViolation } from "./rejections.ts";

const violation = (rule: string) => ({ path: "/x", rule, expected: "", kind: "string" }) as const;

it("names a refused payload by the rule of the schema, and a refused answer as such", () => {
  const rules = [
    "required",
    "additionalProperties",
    "enum",
    "type",
    "maxLength",
    "format",
    "minItems",
    "maxItems",
    "minimum",
  ];
  expect(rules.map((rule) => rejectionOfViolation(violation(rule), "request"))).toEqual([
    ...["missing-property", "unknown-property", "unknown-value", "wrong-type", "text-too-long", "unreadable-time"],
    ...["list-length", "list-length", "invalid-payload"],
  ]);
  expect(rejectionOfViolation(violation("enum"), "response")).toBe("invalid-answer");
});

it("names what was refused before its payload was looked at: unsigned-message where a signature was wanted", () => {
  expect(rejectionOfRefused("unsigned")).toBe("unsigned-message");
  expect(rejectionOfRefused("not-supported")).toBe("unsupported-action");
  expect(rejectionOfRefused("no-subprotocol")).toBe("no-subprotocol");
});

it("names what was ignored, and nothing where the station did nothing wrong", () => {
  expect(rejectionOfIgnored("unasked-answer")).toBe("unasked-answer");
  expect(rejectionOfIgnored("not-supported")).toBe("unsupported-action");
  expect(rejectionOfIgnored("closing")).toBeUndefined();
});
