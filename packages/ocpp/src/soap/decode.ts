import { ownText } from "./own-text.ts";
import type { Field, ObjectPlan, TextPlan, ValuePlan } from "./plan.ts";
import type { XmlElement } from "./xml-reader.ts";

const INSTANCE_NAMESPACE = "http://www.w3.org/2001/XMLSchema-instance";
const XS_DATE_TIME_WITHOUT_ZONE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?$/;
const XS_INTEGER = /^[+-]?\d{1,15}$/;
const XS_DECIMAL = /^[+-]?(\d+(\.\d*)?|\.\d+)$/;

/** Deviations that reading sets right; names for logs and counters. */
export const xmlDeviations = {
  emptyElement: "xml-empty-element",
  elementOrder: "xml-element-order",
  unqualifiedElement: "xml-unqualified-element",
  dateTimeWithoutZone: "xml-date-time-without-zone",
} as const;

/** Namespace names are compared without their last slash: the 1.6 text prints them without, the WSDL with it. */
export function sameNamespace(one: string, other: string): boolean {
  return one === other || one.replace(/\/$/, "") === other.replace(/\/$/, "");
}

function setProperty(target: Record<string, unknown>, name: string, value: unknown): void {
  if (name === "__proto__") {
    Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
  } else target[name] = value;
}

function isBlank(element: XmlElement): boolean {
  return element.children.length === 0 && element.text.trim() === "";
}

function isNil(element: XmlElement): boolean {
  if (element.attributes.length === 0) return false;
  return element.attributes.some(
    ({ namespace, name, value }) =>
      namespace === INSTANCE_NAMESPACE && name === "nil" && /^\s*(true|1)\s*$/.test(value),
  );
}

/** An element that no schema describes: text, or an object of what is inside. */
function undescribed(element: XmlElement): unknown {
  if (element.children.length === 0) return ownText(element.text);
  const result: Record<string, unknown> = {};
  for (const child of element.children) setProperty(result, child.name, undescribed(child));
  return result;
}

/** A name that is no property of the object: Clark notation where an element of another namespace or place has one. */
function unknownName(plan: ObjectPlan, { name, namespace }: XmlElement): string {
  const taken = plan.elements.has(name) || plan.attributes.has(name) || plan.text?.name === name;
  return taken ? `{${namespace}}${name}` : name;
}

class Decoder {
  readonly #deviations: Set<string>;
  readonly #namespace: string;

  constructor(namespace: string, deviations: Set<string>) {
    this.#namespace = namespace;
    this.#deviations = deviations;
  }

  object(plan: ObjectPlan, element: XmlElement): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    this.#attributes(plan, element, result);
    let reached = 0;
    for (const child of element.children) {
      const field = this.#fieldOf(plan, child);
      if (field === undefined) {
        setProperty(result, unknownName(plan, child), undescribed(child));
        continue;
      }
      if (field.index < reached) this.#deviations.add(xmlDeviations.elementOrder);
      reached = Math.max(reached, field.index);
      this.#child(field, child, result);
    }
    this.#text(plan, element, result);
    for (const field of plan.fields) {
      // XML cannot tell an empty list from an absent one.
      if (field.required && field.repeated && result[field.name] === undefined) result[field.name] = [];
    }
    return result;
  }

  #fieldOf(plan: ObjectPlan, child: XmlElement): Field | undefined {
    const field = plan.elements.get(child.name);
    if (field === undefined || sameNamespace(child.namespace, this.#namespace)) return field;
    if (child.namespace !== "") return undefined;
    this.#deviations.add(xmlDeviations.unqualifiedElement);
    return field;
  }

  #attributes(plan: ObjectPlan, element: XmlElement, result: Record<string, unknown>): void {
    for (const { namespace, name, value } of element.attributes) {
      if (namespace !== "") continue;
      const field = plan.attributes.get(name);
      if (field === undefined) setProperty(result, name, ownText(value));
      else if (field.required || value.trim() !== "") result[name] = this.#scalar(field.plan, value);
      else this.#deviations.add(xmlDeviations.emptyElement);
    }
  }

  #text(plan: ObjectPlan, element: XmlElement, result: Record<string, unknown>): void {
    if (plan.text !== undefined) result[plan.text.name] = this.#scalar(plan.text.plan, element.text);
    else if (element.text.trim() !== "") result["#text"] = ownText(element.text);
  }

  #child(field: Field, child: XmlElement, result: Record<string, unknown>): void {
    const optional = field.repeated || !field.required;
    const saysSomething = field.plan.type === "object" && (child.attributes.length > 0 || field.plan.mayBeEmpty);
    if (isNil(child) || (optional && isBlank(child) && !saysSomething)) {
      this.#deviations.add(xmlDeviations.emptyElement);
      return;
    }
    const value = this.#value(field.plan, child);
    const present = result[field.name];
    if (Array.isArray(present)) present.push(value);
    // A second element where the schema allows one becomes an array, which validation refuses by its type.
    else if (field.repeated || present !== undefined)
      result[field.name] = present === undefined ? [value] : [present, value];
    else result[field.name] = value;
  }

  #value(plan: ValuePlan, element: XmlElement): unknown {
    if (plan.type === "object") return this.object(plan, element);
    return element.children.length > 0 ? undescribed(element) : this.#scalar(plan, element.text);
  }

  #scalar(plan: ValuePlan, text: string): unknown {
    if (plan.type === "string" || plan.type === "object") return ownText(text);
    return this.#typed(plan, text.trim());
  }

  #typed(plan: TextPlan, text: string): unknown {
    switch (plan.type) {
      case "integer":
        return XS_INTEGER.test(text) ? Number(text) + 0 : text;
      case "number":
        return XS_DECIMAL.test(text) ? Number(text) + 0 : text;
      case "boolean":
        if (text === "true" || text === "1") return true;
        return text === "false" || text === "0" ? false : text;
      case "dateTime":
        if (!XS_DATE_TIME_WITHOUT_ZONE.test(text)) return text;
        // Lawful xs:dateTime. UTC is what OCPP 1.6 §3.14 recommends for all time values, so it is the zone left out.
        this.#deviations.add(xmlDeviations.dateTimeWithoutZone);
        return `${text}Z`;
      default:
        return text;
    }
  }
}

/** Reads the payload out of a body element; never fails. Children must be in the element's namespace or in none. */
export function decodeElement(plan: ObjectPlan, element: XmlElement, deviations: Set<string>): Record<string, unknown> {
  return new Decoder(element.namespace, deviations).object(plan, element);
}
