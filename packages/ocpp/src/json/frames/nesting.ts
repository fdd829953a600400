/** Levels of lists and objects in a message. The deepest message of OCPP has a fifth of them. */
export const deepestNesting = 100;
/** A shorter text cannot be nested so deeply that a recursive reader of it would fail. */
const SHORTEST_DEEP_TEXT = 2_048;

/** Whether a text has more levels than a message may have: whoever copies or writes its payload would run out of stack. */
export function isTooDeep(text: string): boolean {
  if (text.length < SHORTEST_DEEP_TEXT) return false;
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x22) {
      do {
        index = text.indexOf('"', index + 1);
        if (index < 0) return false;
      } while (isEscaped(text, index));
    } else if (code === 0x5b || code === 0x7b) {
      depth++;
      if (depth > deepestNesting) return true;
    } else if (code === 0x5d || code === 0x7d) {
      depth--;
    }
  }
  return false;
}

function isEscaped(text: string, index: number): boolean {
  let first = index;
  while (text.charCodeAt(first - 1) === 0x5c) first--;
  return (index - first) % 2 === 1;
}
