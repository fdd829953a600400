import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ocppVersions } from "../../catalogue/version.ts";
import { parseFrame } from "./read-frame.ts";
import { writeError, writeRequest, writeResult } from "./write-frame.ts";

const anyVersion = fc.constantFrom(...ocppVersions);
const messageId = fc.string({ maxLength: 36 });
const payload = fc.dictionary(fc.string(), fc.jsonValue());

describe("frames that are written", () => {
  test("a CALL, a CALLRESULT and a SEND survive the wire in every version that has them", () => {
    fc.assert(
      fc.property(anyVersion, messageId, fc.string(), payload, (version, id, action, body) => {
        const sent: unknown = JSON.parse(JSON.stringify(body));
        const request = { messageId: id, action, payload: sent };
        expect(parseFrame(version, writeRequest("CALL", id, action, body))).toEqual({ kind: "CALL", ...request });
        const result = { kind: "CALLRESULT", messageId: id, payload: sent };
        expect(parseFrame(version, writeResult(id, body))).toEqual(result);
        const send = parseFrame(version, writeRequest("SEND", id, action, body));
        if (version === "2.1") expect(send).toEqual({ kind: "SEND", ...request });
        else expect(send.kind).toBe("malformed");
      }),
    );
  });

  test("a CALLERROR survives the wire, its description cut to 255 characters (2.x Part 4 §4.2.3)", () => {
    fc.assert(
      fc.property(anyVersion, messageId, fc.string({ maxLength: 400, unit: "binary" }), (version, id, description) => {
        const frame = parseFrame(version, writeError(version, "CALLERROR", id, "GenericError", description, { a: 1 }));
        expect(frame).toMatchObject({ kind: "CALLERROR", messageId: id, code: "GenericError", details: { a: 1 } });
        const shortened = Array.from(description).slice(0, 255).join("");
        expect("description" in frame && frame.description).toBe(shortened);
      }),
    );
  });

  test("empty errorDetails are {} (OCPP-J 1.6 §4.2.3)", () => {
    expect(writeError("1.6", "CALLERROR", "1", "GenericError", "")).toBe('[4,"1","GenericError","",{}]');
  });

  test("details that JSON cannot hold become {}", () => {
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    expect(writeError("1.6", "CALLERROR", "1", "GenericError", "", circular)).toBe('[4,"1","GenericError","",{}]');
    const unwritable = writeError("2.1", "CALLRESULTERROR", "1", "GenericError", "", { n: 1n });
    expect(unwritable).toBe('[5,"1","GenericError","",{}]');
  });

  test("1.6 spells two codes its own way, 2.x as the errata do", () => {
    expect(writeError("1.6", "CALLERROR", "1", "FormatViolation", "")).toContain("FormationViolation");
    expect(writeError("1.6", "CALLERROR", "1", "OccurrenceConstraintViolation", "")).toContain("OccurenceConstraint");
    expect(writeError("2.0.1", "CALLERROR", "1", "FormatViolation", "")).toContain("FormatViolation");
  });
});
