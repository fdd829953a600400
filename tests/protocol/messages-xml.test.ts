import {
  type JsonSchema,
  namespaceOf,
  readXml,
  type SoapVersion,
  soapVersions,
  XmlCharacterError,
  xmlCodec,
} from "@polyphase/ocpp";
import { arbitraryFromSchema, type Definitions, resolveSchema } from "@polyphase/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { deepFreeze, isXmlText, type Message, messagesOf, runsPerMessage } from "./every-message.ts";

/** JSON pointers to the texts that XML 1.0 §2.2 excludes, in the order of the values. */
function excludedTexts(value: unknown, path = ""): string[] {
  if (typeof value === "string") return isXmlText(value) ? [] : [path];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) => excludedTexts(part, `${path}/${key}`));
}

function thrownBy(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    return error;
  }
}

function isBlank(value: unknown): boolean {
  return typeof value === "string" && value.trim() === "";
}

/**
 * The part of a payload that XML can tell from nothing: an empty list has no element at all, and an optional element
 * without text counts as absent, which is how stations write absent values.
 */
function distinguishable(value: unknown, reference: JsonSchema, definitions: Definitions): unknown {
  const schema = resolveSchema(reference, definitions);
  if (Array.isArray(value)) {
    return value
      .filter((item) => !isBlank(item))
      .map((item: unknown) => distinguishable(item, schema.items ?? {}, definitions));
  }
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([name, part]): [string, unknown] => [
    name,
    distinguishable(part, schema.properties?.[name] ?? {}, definitions),
  ]);
  const kept = entries.filter(
    ([name, part]) =>
      schema.required?.includes(name) === true || !(isBlank(part) || (Array.isArray(part) && part.length === 0)),
  );
  return Object.fromEntries(kept);
}

function countTexts(value: unknown): number {
  if (typeof value !== "object" || value === null) return typeof value === "string" ? 1 : 0;
  return Object.values(value).reduce<number>((sum, part) => sum + countTexts(part), 0);
}

function namespaceFor({ entry }: Message, version: SoapVersion): string {
  return namespaceOf(version, entry.from === "CSMS" ? "ChargePointService" : "CentralSystemService");
}

describe.each(soapVersions)("OCPP %s", (version) => {
  // The security extension of 1.6 has no WSDL.
  const messages = messagesOf(version).filter(({ entry }) => !entry.securityExtension);

  test.each(messages)("$name goes through XML unchanged, or is refused where XML cannot carry a text", (message) => {
    const { name, schema, definitions } = message;
    const namespace = namespaceFor(message, version);
    const codec = xmlCodec(schema, definitions);
    let carried = 0;
    fc.assert(
      fc.property(arbitraryFromSchema(schema, definitions), (payload) => {
        deepFreeze(payload);
        const excluded = excludedTexts(payload);
        if (excluded.length > 0) {
          const error = thrownBy(() => codec.encode(name, namespace, payload));
          expect(error).toBeInstanceOf(XmlCharacterError);
          expect(excluded).toContain((error as XmlCharacterError).path);
          return;
        }
        carried++;
        const root = readXml(codec.encode(name, namespace, payload));
        expect(root).toMatchObject({ name, namespace });
        const deviations = new Set<string>();
        const expected = distinguishable(payload, schema, definitions);
        expect(codec.decode(root, deviations)).toEqual(expected);
        // A blank value does not become an absent one without a word.
        const unchanged = countTexts(expected) === countTexts(payload);
        expect([...deviations]).toEqual(unchanged ? [] : ["xml-empty-element"]);
      }),
      runsPerMessage(40),
    );
    expect(carried).toBeGreaterThan(0);
  });
});
