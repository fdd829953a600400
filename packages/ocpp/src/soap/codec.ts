import type { JsonSchema } from "../catalogue/catalogue.ts";
import { decodeElement } from "./decode.ts";
import { encodeElement } from "./encode.ts";
import { type ObjectPlan, planOf } from "./plan.ts";
import type { XmlElement } from "./xml-reader.ts";

/** Turns the payload of one message into its body element and back. */
export interface XmlCodec {
  /**
   * Writes the body element in the given namespace, children in the order of the WSDL. The payload should be valid.
   *
   * @throws XmlCharacterError when a text holds a character that XML cannot carry.
   * @throws TypeError when a value has no place in the message.
   */
  encode(elementName: string, namespace: string, payload: unknown): string;
  /**
   * Reads the payload out of the body element. It never fails: what does not fit stays in the payload, an unknown
   * element as an unknown property and an unreadable number as a string, so that validation names it. Names of
   * harmless deviations that were set right are added to `deviations`.
   */
  decode(element: XmlElement, deviations?: Set<string>): unknown;
}

/** Derives the codec of a message from its schema and the version's definitions. */
export function xmlCodec(schema: JsonSchema, definitions: Readonly<Record<string, JsonSchema>>): XmlCodec {
  const plan = planOf(schema, definitions);
  if (plan.type !== "object") throw new TypeError("the payload of a message is an object");
  const message: ObjectPlan = plan;
  return {
    encode: (elementName, namespace, payload) => encodeElement(message, elementName, namespace, payload),
    decode: (element, deviations = new Set()) => decodeElement(message, element, deviations),
  };
}
