import fc from "fast-check";
import { expect, test } from "vitest";
import { textFrame } from "./text-frame.ts";

/** Reads one frame as RFC 6455 §5.2 lays it out. */
function read(frame: Buffer): { readonly head: number; readonly lengthBytes: number; readonly text: string } {
  const [head = 0, short = 0] = frame;
  if (short < 126) return { head, lengthBytes: 0, text: frame.subarray(2, 2 + short).toString() };
  if (short === 126) return { head, lengthBytes: 2, text: frame.subarray(4, 4 + frame.readUInt16BE(2)).toString() };
  const length = Number(frame.readBigUInt64BE(2));
  return { head, lengthBytes: 8, text: frame.subarray(10, 10 + length).toString() };
}

test.each([
  [0, 0],
  [125, 0],
  [126, 2],
  [65_535, 2],
  [65_536, 8],
  [200_000, 8],
])("a text of %i bytes has a length field of %i further bytes", (length, lengthBytes) => {
  const text = "x".repeat(length);
  const frame = textFrame(text);
  expect(read(frame)).toEqual({ head: 0x81, lengthBytes, text });
  expect(frame.length).toBe(2 + lengthBytes + length);
});

test("the length counts bytes, not characters", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 300 }), (text) => {
      const frame = textFrame(text);
      expect(read(frame).text).toBe(Buffer.from(text).toString());
      expect(frame.length - Buffer.byteLength(text)).toBeLessThanOrEqual(4);
    }),
  );
});
