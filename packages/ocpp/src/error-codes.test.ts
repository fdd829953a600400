import { describe, expect, it } from "vitest";
import { type OcppVersion, ocppVersions } from "./catalogue/version.ts";
import { type ErrorCode, errorCodeFor, errorCodes, parseErrorCode, wireErrorCode } from "./error-codes.ts";
import { PeerError } from "./errors.ts";
import type { Violation } from "./validation/violation.ts";

const family1 = ["1.2", "1.5", "1.6"] as const;
const family2 = ["2.0.1", "2.1"] as const;

/** The codes of OCPP-J 1.6 as published, §4.2.3 table 7. */
const codesOf16: readonly string[] = [
  "NotImplemented",
  "NotSupported",
  "InternalError",
  "ProtocolError",
  "SecurityError",
  "FormationViolation",
  "PropertyConstraintViolation",
  "OccurenceConstraintViolation",
  "TypeConstraintViolation",
  "GenericError",
];

describe("error codes on the wire", () => {
  it.each(family2)("are spelled in %s as its Part 4 spells them", (version) => {
    expect(errorCodes.map((code) => wireErrorCode(version, code))).toEqual([...errorCodes]);
  });

  it.each(family1)("are in %s only those that 1.6 published, in its spelling", (version) => {
    const sent = new Set(errorCodes.map((code) => wireErrorCode(version, code)));
    expect([...sent].sort()).toEqual([...codesOf16].sort());
    expect(wireErrorCode(version, "FormatViolation")).toBe("FormationViolation");
    expect(wireErrorCode(version, "OccurrenceConstraintViolation")).toBe("OccurenceConstraintViolation");
    expect(wireErrorCode(version, "MessageTypeNotSupported")).toBe("ProtocolError");
    expect(wireErrorCode(version, "RpcFrameworkError")).toBe("ProtocolError");
  });

  it.each([
    ["FormationViolation", "FormatViolation"],
    ["FormatViolation", "FormatViolation"],
    ["OccurenceConstraintViolation", "OccurrenceConstraintViolation"],
    ["OccurrenceConstraintViolation", "OccurrenceConstraintViolation"],
  ])("%s is understood as %s, whoever sends it", (spelled, code) => {
    expect(parseErrorCode(spelled)).toBe(code);
  });

  it("read back as they were meant, in every version that has them", () => {
    for (const version of ocppVersions) {
      for (const code of errorCodes) {
        const spelled = wireErrorCode(version, code);
        expect(parseErrorCode(spelled)).toBe(spelled === "ProtocolError" ? "ProtocolError" : code);
      }
    }
  });

  it.each(["", "Error", "genericerror", "constructor", "__proto__"])(
    "%j, which no specification lists, is a GenericError",
    (spelled) => {
      expect(parseErrorCode(spelled)).toBe("GenericError");
      expect(new PeerError(spelled, "")).toMatchObject({ code: "GenericError", wireCode: spelled });
    },
  );
});

describe("the code that answers a broken rule", () => {
  const rows: readonly (readonly [rule: string, family1: ErrorCode, family2: ErrorCode])[] = [
    ["type", "TypeConstraintViolation", "TypeConstraintViolation"],
    // OCPP-J 1.6 has a code for an incomplete payload, 2.x counts it under occurrence.
    ["required", "ProtocolError", "OccurrenceConstraintViolation"],
    ["minItems", "OccurrenceConstraintViolation", "OccurrenceConstraintViolation"],
    ["maxItems", "OccurrenceConstraintViolation", "OccurrenceConstraintViolation"],
    ["additionalProperties", "FormatViolation", "FormatViolation"],
    ["frame", "FormatViolation", "FormatViolation"],
    ["enum", "PropertyConstraintViolation", "PropertyConstraintViolation"],
    ["format", "PropertyConstraintViolation", "PropertyConstraintViolation"],
    ["minLength", "PropertyConstraintViolation", "PropertyConstraintViolation"],
    ["maxLength", "PropertyConstraintViolation", "PropertyConstraintViolation"],
    ["minimum", "PropertyConstraintViolation", "PropertyConstraintViolation"],
    ["maximum", "PropertyConstraintViolation", "PropertyConstraintViolation"],
    ["multipleOf", "PropertyConstraintViolation", "PropertyConstraintViolation"],
  ];

  it.each(rows)("%s is %s in 1.x and %s in 2.x", (rule, first, second) => {
    const violation: Violation = { path: "/idTag", rule, expected: "20", kind: "string" };
    const codes = (versions: readonly OcppVersion[]) => versions.map((version) => errorCodeFor(version, violation));
    expect(codes(family1)).toEqual([first, first, first]);
    expect(codes(family2)).toEqual([second, second]);
  });
});
