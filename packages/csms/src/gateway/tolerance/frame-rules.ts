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
