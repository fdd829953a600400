import {
  type CatalogueEntry,
  catalogue,
  definitionsOf,
  type JsonSchema,
  type OcppVersion,
  type Violation,
} from "@polyphase/ocpp";
import type { Definitions } from "@polyphase/testing";

/** A request or a response of one action. */
export interface Message {
  readonly name: string;
  readonly entry: CatalogueEntry;
  readonly direction: "request" | "response";
  readonly schema: JsonSchema;
  readonly definitions: Definitions;
  validate(payload: unknown): Violation | undefined;
}

/** Every request and response of a version. */
export function messagesOf(version: OcppVersion): readonly Message[] {
  const definitions = definitionsOf(version);
  return [...catalogue(version).values()].flatMap((entry): Message[] => {
    const { action, requestSchema, responseSchema } = entry;
    const request: Message = {
      name: `${action}Request`,
      entry,
      direction: "request",
      schema: requestSchema,
      definitions,
      validate: (payload) => entry.validateRequest(payload),
    };
    if (responseSchema === undefined) return [request];
    const response: Message = {
      name: `${action}Response`,
      entry,
      direction: "response",
      schema: responseSchema,
      definitions,
      validate: (payload) => entry.validateResponse(payload),
    };
    return [request, response];
  });
}

/**
 * How many instances of each message a property test tries. The environment variable `POLYPHASE_RUNS_PER_MESSAGE`
 * raises it, for a thorough run: `POLYPHASE_RUNS_PER_MESSAGE=2000 npx vitest run tests/protocol/messages`.
 */
export function runsPerMessage(usual: number): { readonly numRuns: number } {
  const wanted = Number(process.env.POLYPHASE_RUNS_PER_MESSAGE ?? usual);
  if (!Number.isInteger(wanted) || wanted < 1)
    throw new RangeError("POLYPHASE_RUNS_PER_MESSAGE is a whole number from 1");
  return { numRuns: wanted };
}

/** Freezes a value all the way down, so that a change of it throws. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    for (const part of Object.values(value)) deepFreeze(part);
    Object.freeze(value);
  }
  return value;
}

function isXmlCharacter(character: string): boolean {
  const point = character.codePointAt(0) ?? 0;
  if (point < 0x20) return point === 0x9 || point === 0xa || point === 0xd;
  return point <= 0xd7ff || (point >= 0xe000 && point <= 0xfffd) || point >= 0x10000;
}

/** Whether XML 1.0 §2.2 lets a document hold every character of the text. */
export function isXmlText(text: string): boolean {
  return [...text].every(isXmlCharacter);
}
