import type { Schema } from "./schema-documents.ts";

/**
 * Puts properties into the order of the 1.6 WSDLs, which XML sequences follow and the 1.6 JSON schemas at times
 * do not. Keys of `orders` are a message and property names below it, joined by dots; lists are looked through.
 *
 * @throws Error when a path or its properties are not those of the schema.
 */
export function followXmlOrder(
  definitions: Readonly<Record<string, Schema>>,
  orders: Readonly<Record<string, readonly string[]>>,
): void {
  for (const [path, names] of Object.entries(orders)) {
    const [message = "", ...steps] = path.split(".");
    let schema = definitions[message];
    for (const step of steps) {
      const property = schema?.properties?.[step];
      schema = property?.items ?? property;
    }
    const properties = schema?.properties;
    if (schema === undefined || properties === undefined) throw new Error(`1.6 schema has no object ${path}`);
    if (Object.keys(properties).sort().join() !== [...names].sort().join()) {
      throw new Error(`${path} has properties other than ${names.join(", ")}`);
    }
    schema.properties = Object.fromEntries(
      Object.entries(properties).sort(([a], [b]) => names.indexOf(a) - names.indexOf(b)),
    );
  }
}
