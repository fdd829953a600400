import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ocppVersions } from "../../catalogue/version.ts";
import { parseFrame } from "./read-frame.ts";

describe("well-formed frames", () => {
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

  /** What a frame is answered with: the error code, and the id that it is answered under. */
  type Answer = readonly [code: string | undefined, messageId: string];
  const nothing: Answer = [undefined, ""];
  const nothingTo17: Answer = [undefined, "17"];
  const formatTo17: Answer = ["FormatViolation", "17"];
  const frameworkTo17: Answer = ["RpcFrameworkError", "17"];

  const rows: readonly (readonly [name: string, text: string, in2: Answer, in1: Answer])[] = [
    ["an empty text", "", ["RpcFrameworkError", ""], nothing],
    ["a text that is no JSON", "hello", ["RpcFrameworkError", ""], nothing],
    ["an object", "{}", ["RpcFrameworkError", ""], nothing],
    ["a number", "2", ["RpcFrameworkError", ""], nothing],
    ["an empty array", "[]", ["RpcFrameworkError", ""], nothing],
    ["a leading comma", '[,{"a":1}]', ["RpcFrameworkError", ""], nothing],
    ["a message id that is a number", '[2,1,"Heartbeat",{}]', ["RpcFrameworkError", ""], nothing],
    ["a type that is a text", '["2","17","Heartbeat",{}]', frameworkTo17, frameworkTo17],
    ["an empty value, the id still readable", '[2,"17","StopTransaction",{"a":,}]', formatTo17, formatTo17],
    ["NUL bytes behind the frame", '[2,"17","Heartbeat",{}]\u0000\u0000', formatTo17, formatTo17],
    ["a CALL without payload", '[2,"17","Heartbeat"]', frameworkTo17, formatTo17],
    ["a CALL with five elements", '[2,"17","Heartbeat",{},{}]', frameworkTo17, formatTo17],
    ["an action that is no text", '[2,"17",5,{}]', frameworkTo17, formatTo17],
    ["an unknown message type", '[9,"17",{}]', ["MessageTypeNotSupported", "17"], nothingTo17],
    ["a truncated CALLERROR", '[4,"17","Gen', nothingTo17, nothingTo17],
    ["a CALLRESULT without id", "[3]", nothing, nothing],
    ["a CALLERROR without id", "[4]", nothing, nothing],
  ];
  test.each(rows)("%s is answered as each version says", (_name, text, in2, in1) => {
    for (const [version, [answer, messageId]] of [
      ["2.1", in2],
      ["2.0.1", in2],
      ["1.6", in1],
    ] as const) {
      const expected = { kind: "malformed", isResult: false, answer, messageId };
      expect(parseFrame(version, text)).toEqual({ ...expected, reason: expect.any(String) });
    }
  });

  test.each([
    ["a truncated CALLRESULT", '[3,"17",{"status":"Acc'],
    ["a CALLRESULT with four elements", '[3,"17",{},{}]'],
  ])("%s ends the call that it names, in silence", (_name, text) => {
    for (const version of ["2.1", "2.0.1", "1.6"] as const) {
      const expected = { kind: "malformed", isResult: true, answer: undefined, messageId: "17" };
      expect(parseFrame(version, text)).toEqual({ ...expected, reason: expect.any(String) });
    }
  });

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
      fc.property(fc.constantFrom(...ocppVersions), text, (version, input) => {
        const frame = parseFrame(version, input);
        const isResponse = /^\s*\[\s*[345]\s*[,\]]/.test(input);
        if (frame.kind === "malformed" && isResponse) expect(frame.answer).toBeUndefined();
      }),
      { numRuns: 2_000 },
    );
  });
});
