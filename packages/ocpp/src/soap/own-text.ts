/** Shorter pieces are copied by V8 itself. */
const SHORTEST_PIECE = 13;

/**
 * The text as one that stands alone. A text that was cut out of a document keeps the whole document in memory for as
 * long as it is remembered itself: an identity of 13 characters could hold a mebibyte.
 */
export function ownText(text: string): string {
  return text.length < SHORTEST_PIECE ? text : ` ${text}`.slice(1);
}
