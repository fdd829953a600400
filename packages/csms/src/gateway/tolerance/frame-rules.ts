import type { ToleranceRule } from "./rule.ts";

/** C strings that were sent with their end, and what stands behind it. */
export const trailingNul: ToleranceRule = {
  name: "json-trailing-nul",
  description: "NUL bytes at the end of a frame are ignored",
  isDefault: true,
  frame(text) {
    // No expression: on a megabyte of NULs in the wrong place it would take hours.
    const trimmed = text.trimEnd();
    let end = trimmed.length;
    while (trimmed.charCodeAt(end - 1) === 0) end--;
    return end === trimmed.length ? undefined : trimmed.slice(0, end);
  },
};

/** Texts with the padding of a C string, which no database holds. */
export const nulInText: ToleranceRule = {
  name: "nul-in-text",
  description: "NUL at the end of a text is ignored; elsewhere in a text it becomes the replacement character",
  isDefault: true,
  frame(text) {
    if (!text.includes("\\u0000")) return undefined;
    const changed = text.replace(escapedNul, (_, before: string, nuls: string, end: string) => {
      return `${before}${end === "" ? "\uFFFD".repeat(nuls.length / 6) : ""}${end}`;
    });
    return changed === text ? undefined : changed;
  },
};

// An odd number of backslashes escapes; the quote that may follow ends the text.
const escapedNul = /(?<!\\)((?:\\\\)*)((?:\\u0000)+)("?)/g;

/** `[,{...}]`: the comma is left out. */
export const leadingComma: ToleranceRule = {
  name: "json-leading-comma",
  description: "A comma directly after the opening bracket of a list is ignored",
  isDefault: true,
  frame: (text) => changeOutsideStrings(text, (code) => code.replace(/\[(\s*,)+/g, "[")),
};

/** `"transactionId":,`: becomes null, which the rule for null values leaves out. */
export const emptyValue: ToleranceRule = {
  name: "json-empty-value",
  description: "A property without a value is read as if it were absent",
  isDefault: true,
  frame: (text) => changeOutsideStrings(text, (code) => code.replace(/:(?=\s*(?:[,}]|$))/g, ":null")),
};

const pieces = /"(?:[^"\\]|\\.)*"?|[^"]+/gs;

/** Applies a change to what is between the strings of a JSON text; undefined when nothing changed. */
function changeOutsideStrings(text: string, change: (code: string) => string): string | undefined {
  // A colon may be the last character before a string, where it has its value.
  const parts = text.match(pieces) ?? [];
  const changed = parts
    .map((part, index) => {
      if (part.startsWith('"')) return part;
      const isBeforeString = parts[index + 1] !== undefined;
      return isBeforeString ? change(`${part}"`).slice(0, -1) : change(part);
    })
    .join("");
  return changed === text ? undefined : changed;
}
