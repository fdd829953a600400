/**
 * A short text that is the same for the same content: 64 bits of FNV-1a in two independent halves. It tells a repeated
 * message from a new one within one station and moment, where a chance collision is out of the question; it is no
 * protection against forgery, which a station could as well do by sending nothing.
 */
export function contentKey(content: string): string {
  let high = 0x811c9dc5;
  let low = 0x9dc5811c;
  for (let index = 0; index < content.length; index++) {
    const code = content.charCodeAt(index);
    high = Math.imul(high ^ code, 0x01000193);
    low = Math.imul(low ^ (code + index), 0x85ebca6b);
    low ^= low >>> 13;
  }
  return (high >>> 0).toString(36) + (low >>> 0).toString(36).padStart(7, "0");
}
