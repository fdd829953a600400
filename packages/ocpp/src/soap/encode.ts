import type { Field, ObjectPlan, ValuePlan } from "./plan.ts";
import { escapeAttribute, escapeText, XmlCharacterError } from "./xml-writer.ts";

/** xs:decimal knows no exponent. */
function decimal(value: number): string {
  if (!Number.isFinite(value)) throw new TypeError(`${value} has no form in XML`);
  const text = String(value);
  if (!text.includes("e")) return text;
  if (Number.isInteger(value)) return BigInt(value).toString();
  const [mantissa = "", exponent = ""] = Math.abs(value).toString().split("e-");
  const digits = mantissa.replace(".", "");
  return `${value < 0 ? "-" : ""}0.${"0".repeat(Number(exponent) - 1)}${digits}`;
}

function scalar(value: unknown): string {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
      return decimal(value);
    case "boolean":
      return String(value);
    default:
      throw new TypeError(`an element's text cannot be of type ${typeof value}`);
  }
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

class Encoder {
  readonly #path: (string | number)[] = [];
  #xml = "";

  message(plan: ObjectPlan, name: string, namespace: string, payload: unknown): string {
    this.#value(plan, name, payload, ` xmlns="${escapeAttribute(namespace)}"`);
    return this.#xml;
  }

  #escape(value: unknown, escaper: (text: string) => string): string {
    try {
      return escaper(scalar(value));
    } catch (error) {
      if (error instanceof XmlCharacterError) throw new XmlCharacterError(error.character, this.#pointer());
      throw error;
    }
  }

  #pointer(): string {
    return this.#path.map((step) => `/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
  }

  #value(plan: ValuePlan, name: string, value: unknown, declaration = ""): void {
    if (plan.type === "object") this.#object(plan, name, value, declaration);
    else this.#xml += `<${name}>${this.#escape(value, escapeText)}</${name}>`;
  }

  #object(plan: ObjectPlan, name: string, value: unknown, declaration: string): void {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new TypeError(`${name} is an object in XML`);
    }
    const properties = value as Readonly<Record<string, unknown>>;
    this.#refuseUnknown(plan, name, properties);
    this.#xml += `<${name}${declaration}`;
    for (const field of plan.attributes.values()) {
      const content = properties[field.name];
      if (isAbsent(content)) continue;
      this.#path.push(field.name);
      this.#xml += ` ${field.name}="${this.#escape(content, escapeAttribute)}"`;
      this.#path.pop();
    }
    this.#xml += ">";
    for (const field of plan.fields) {
      const content = properties[field.name];
      if (field.place === "attribute" || isAbsent(content)) continue;
      this.#path.push(field.name);
      this.#field(field, content);
      this.#path.pop();
    }
    this.#xml += `</${name}>`;
  }

  #field(field: Field, content: unknown): void {
    if (field.place === "text") this.#xml += this.#escape(content, escapeText);
    else if (!field.repeated) this.#value(field.plan, field.name, content);
    else {
      if (!Array.isArray(content)) throw new TypeError(`${field.name} is an array`);
      content.forEach((item: unknown, index) => {
        this.#path.push(index);
        this.#value(field.plan, field.name, item);
        this.#path.pop();
      });
    }
  }

  #refuseUnknown(plan: ObjectPlan, name: string, properties: Readonly<Record<string, unknown>>): void {
    for (const property of Object.keys(properties)) {
      const known = plan.elements.has(property) || plan.attributes.has(property) || plan.text?.name === property;
      if (!known && !isAbsent(properties[property])) throw new TypeError(`${name} has no place for ${property}`);
    }
  }
}

/**
 * Writes one element with its content, as {@link ObjectPlan} orders it.
 *
 * @throws XmlCharacterError when a text holds a character that XML cannot carry.
 * @throws TypeError when a value has no place in the element.
 */
export function encodeElement(plan: ObjectPlan, name: string, namespace: string, payload: unknown): string {
  return new Encoder().message(plan, name, namespace, payload);
}
