import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type OcppVersion, ocppVersions } from "../catalogue/version.ts";
import { parseFrame, writeError, writeRequest, writeResult } from "./frame.ts";

const anyVersion = fc.constantFrom(...ocppVersions);
const messageId = fc.string({ maxLength: 36 });
const payload = fc.dictionary(fc.string(), fc.jsonValue());

describe("well-formed frames", () => {
  test("a CALL, a CALLRESULT and a SEND survive the wire in every version that has them", () => {
    fc.assert(
      fc.property(anyVersion, messageId, fc.string(), payload, (version, id, action, body) => {
        const sent: unknown = JSON.parse(JSON.stringify(body));
        expect(parseFrame(version, writeRequest("CALL", id, action, body))).toEqual({
          kind: "CALL",
          messageId: id,
          action,
          payload: sent,
        });
        expect(parseFrame(version, writeResult(id, body))).toEqual({
          kind: "CALLRESULT",
          messageId: id,
          payload: sent,
        });
        const send = parseFrame(version, writeRequest("SEND", id, action, body));
        expect(send.kind).toBe(version === "2.1" ? "SEND" : "malformed");
      }),
    );
  });

  test("a CALLERROR survives the wire, its description cut to 255 characters (2.x Part 4 §4.2.3)", () => {
    fc.assert(
      fc.property(anyVersion, messageId, fc.string({ maxLength: 400, unit: "binary" }), (version, id, description) => {
        const frame = parseFrame(version, writeError(version, "CALLERROR", id, "GenericError", description, { a: 1 }));
        expect(frame).toMatchObject({ kind: "CALLERROR", messageId: id, code: "GenericError", details: { a: 1 } });
        const characters = Array.from("description" in frame ? frame.description : "");
        expect(characters).toEqual(Array.from(description).slice(0, 255));
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
    expect(writeError("2.1", "CALLRESULTERROR", "1", "GenericError", "", { n: 1n })).toBe(
      '[5,"1","GenericError","",{}]',
    );
  });

  test("null as payload means no payload (OCPP-J 1.6 §4.2.1)", () => {
    expect(parseFrame("1.6", '[2,"1","Heartbeat",null]')).toMatchObject({ kind: "CALL", payload: {} });
    expect(parseFrame("1.6", '[3,"1",null]')).toMatchObject({ kind: "CALLRESULT", payload: {} });
  });

  test("a CALLERROR without its last elements, or with wrong ones, is read all the same", () => {
    expect(parseFrame("1.6", '[4,"1"]')).toMatchObject({ code: "GenericError", description: "", details: {} });
    expect(parseFrame("1.6", '[4,"1","Weird",null,"x"]')).toMatchObject({
      code: "Weird",
      description: "",
      details: {},
    });
  });

  test("1.6 spells two codes its own way, 2.x as the errata do", () => {
    expect(writeError("1.6", "CALLERROR", "1", "FormatViolation", "")).toContain("FormationViolation");
    expect(writeError("1.6", "CALLERROR", "1", "OccurrenceConstraintViolation", "")).toContain("OccurenceConstraint");
    expect(writeError("2.0.1", "CALLERROR", "1", "FormatViolation", "")).toContain("FormatViolation");
  });
});

describe("malformed frames", () => {
  const nested = (levels: number, inside = "1") => `${'{"a":['.repeat(levels / 2)}${inside}${"]}".repeat(levels / 2)}`;

  test.each(["1.6", "2.1"] as const)(
    "a message of %s nested too deeply to be copied is refused under its id",
    (version) => {
      expect(parseFrame(version, `[2,"7","DataTransfer",${nested(2_000)}]`)).toMatchObject({
        kind: "malformed",
        messageId: "7",
        answer: "FormatViolation",
      });
      expect(parseFrame(version, `[3,"7",${nested(2_000)}]`)).toMatchObject({ messageId: "7", isResult: true });
    },
  );

  test("brackets in texts, however they are escaped, are no levels", () => {
    const brackets = JSON.stringify(`${'\\"['.repeat(2_000)}\\`);
    const frame = parseFrame("2.1", `[2,"7","DataTransfer",${nested(90, brackets)}]`);
    expect(frame).toMatchObject({ kind: "CALL", messageId: "7" });
  });

  interface Case {
    readonly text: string;
    readonly in2: { readonly messageId: string; readonly answer: string | undefined };
    readonly in1: { readonly messageId: string; readonly answer: string | undefined };
    readonly isResult?: boolean;
  }
  const unreadable = {
    in2: { messageId: "", answer: "RpcFrameworkError" },
    in1: { messageId: "", answer: undefined },
  };
  const silent = { messageId: "", answer: undefined };
  const cases: Readonly<Record<string, Case>> = {
    "an empty text": { text: "", ...unreadable },
    "a text that is no JSON": { text: "hello", ...unreadable },
    "an object": { text: "{}", ...unreadable },
    "a number": { text: "2", ...unreadable },
    "an empty array": { text: "[]", ...unreadable },
    "a type that is a text": {
      text: '["2","1","Heartbeat",{}]',
      ...{ in2: { messageId: "1", answer: "RpcFrameworkError" }, in1: { messageId: "1", answer: "RpcFrameworkError" } },
    },
    "a message id that is a number": { text: '[2,1,"Heartbeat",{}]', in2: unreadable.in2, in1: unreadable.in1 },
    "a leading comma": { text: '[,{"a":1}]', ...unreadable },
    "an empty value, the id still readable": {
      text: '[2,"17","StopTransaction",{"transactionId":,}]',
      in2: { messageId: "17", answer: "FormatViolation" },
      in1: { messageId: "17", answer: "FormatViolation" },
    },
    "NUL bytes behind the frame": {
      text: '[2,"17","Heartbeat",{}]\u0000\u0000',
      in2: { messageId: "17", answer: "FormatViolation" },
      in1: { messageId: "17", answer: "FormatViolation" },
    },
    "a truncated CALLRESULT": {
      text: '[3,"17",{"status":"Acc',
      in2: { messageId: "17", answer: undefined },
      in1: { messageId: "17", answer: undefined },
      isResult: true,
    },
    "a truncated CALLERROR": {
      text: '[4,"17","Gen',
      in2: { messageId: "17", answer: undefined },
      in1: { messageId: "17", answer: undefined },
    },
    "a CALL without payload": {
      text: '[2,"17","Heartbeat"]',
      in2: { messageId: "17", answer: "RpcFrameworkError" },
      in1: { messageId: "17", answer: "FormatViolation" },
    },
    "a CALL with five elements": {
      text: '[2,"17","Heartbeat",{},{}]',
      in2: { messageId: "17", answer: "RpcFrameworkError" },
      in1: { messageId: "17", answer: "FormatViolation" },
    },
    "an action that is no text": {
      text: '[2,"17",5,{}]',
      in2: { messageId: "17", answer: "RpcFrameworkError" },
      in1: { messageId: "17", answer: "FormatViolation" },
    },
    "an unknown message type": {
      text: '[9,"17",{}]',
      in2: { messageId: "17", answer: "MessageTypeNotSupported" },
      in1: { messageId: "17", answer: undefined },
    },
    "a CALLRESULT with four elements": {
      text: '[3,"17",{},{}]',
      in2: { messageId: "17", answer: undefined },
      in1: { messageId: "17", answer: undefined },
      isResult: true,
    },
    "a CALLRESULT without id": { text: "[3]", in2: silent, in1: silent },
    "a CALLERROR without id": { text: "[4]", in2: silent, in1: silent },
  };

  for (const [name, { text, in2, in1, isResult = false }] of Object.entries(cases)) {
    test(`${name} is answered as each version says`, () => {
      expect(parseFrame("2.1", text)).toMatchObject({ kind: "malformed", isResult, ...in2 });
      expect(parseFrame("2.0.1", text)).toMatchObject({ kind: "malformed", isResult, ...in2 });
      expect(parseFrame("1.6", text)).toMatchObject({ kind: "malformed", isResult, ...in1 });
    });
  }

  test("a message id of 36 characters is taken, one of 37 is refused under its own name", () => {
    const frame = (length: number) => `[2,"${"x".repeat(length)}","Heartbeat",{}]`;
    for (const version of ocppVersions) {
      expect(parseFrame(version, frame(36)).kind).toBe("CALL");
      expect(parseFrame(version, frame(37))).toMatchObject({ kind: "malformed", messageId: "x".repeat(37) });
    }
  });

  test("an id that is a flood is not echoed", () => {
    const text = `[2,"${"x".repeat(10_000)}","Heartbeat",{}]`;
    expect(parseFrame("2.0.1", text)).toMatchObject({ messageId: "", answer: "RpcFrameworkError" });
    expect(parseFrame("1.6", text)).toMatchObject({ messageId: "", answer: undefined });
  });

  test("SEND and CALLRESULTERROR exist in 2.1 alone, and neither is ever answered (2.1 Part 4 §4.2.4)", () => {
    expect(parseFrame("2.1", '[6,"1","NotifyPeriodicEventStream",{}]').kind).toBe("SEND");
    expect(parseFrame("2.1", '[6,"1","NotifyPeriodicEventStream"]')).toMatchObject({
      kind: "malformed",
      answer: undefined,
    });
    expect(parseFrame("2.1", '[5,"1","GenericError","",{}]').kind).toBe("CALLRESULTERROR");
    expect(parseFrame("2.0.1", '[5,"1","GenericError","",{}]')).toMatchObject({ kind: "malformed", answer: undefined });
    expect(parseFrame("2.0.1", '[6,"1","X",{}]')).toMatchObject({
      kind: "malformed",
      answer: "MessageTypeNotSupported",
    });
  });

  test("no text whatever makes the parser throw, and none but a request gets an answer", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      fc.array(fc.jsonValue()).map((a) => JSON.stringify(a)),
    );
    fc.assert(
      fc.property(anyVersion, text, (version: OcppVersion, input) => {
        const frame = parseFrame(version, input);
        const isResponse = /^\s*\[\s*[345]\s*[,\]]/.test(input);
        if (frame.kind === "malformed" && isResponse) expect(frame.answer).toBeUndefined();
      }),
      { numRuns: 2_000 },
    );
  });
});
