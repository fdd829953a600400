const FINAL_TEXT = 0x81;
const LENGTH_IN_16_BITS = 126;
const LENGTH_IN_64_BITS = 127;

/** A text as one unmasked WebSocket frame (RFC 6455 §5.2), as a server sends it. */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  if (length < LENGTH_IN_16_BITS) {
    const frame = Buffer.allocUnsafe(2 + length);
    frame[0] = FINAL_TEXT;
    frame[1] = length;
    frame.write(text, 2);
    return frame;
  }
  if (length < 2 ** 16) {
    const frame = Buffer.allocUnsafe(4 + length);
    frame[0] = FINAL_TEXT;
    frame[1] = LENGTH_IN_16_BITS;
    frame.writeUInt16BE(length, 2);
    frame.write(text, 4);
    return frame;
  }
  const frame = Buffer.allocUnsafe(10 + length);
  frame[0] = FINAL_TEXT;
  frame[1] = LENGTH_IN_64_BITS;
  frame.writeUInt32BE(Math.floor(length / 2 ** 32), 2);
  frame.writeUInt32BE(length % 2 ** 32, 6);
  frame.write(text, 10);
  return frame;
}
