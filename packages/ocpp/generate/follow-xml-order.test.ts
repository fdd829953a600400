import { expect, it } from "vitest";
import { followXmlOrder } from "./follow-xml-order.ts";
import type { Schema } from "./schema-documents.ts";

const definitions = (): Record<string, Schema> => ({
  A: {
    type: "object",
    properties: {
      x: { type: "string" },
      list: { type: "array", items: { type: "object", properties: { p: {}, q: {} } } },
    },
  },
});

it("reorders the properties of a message and of objects in its lists", () => {
  const found = definitions();
  followXmlOrder(found, { A: ["list", "x"], "A.list": ["q", "p"] });
  expect(Object.keys(found.A?.properties ?? {})).toEqual(["list", "x"]);
  expect(Object.keys(found.A?.properties?.list?.items?.properties ?? {})).toEqual(["q", "p"]);
});

it("refuses an order that is not of the schema's properties", () => {
  expect(() => followXmlOrder(definitions(), { A: ["x"] })).toThrow("properties other than");
  expect(() => followXmlOrder(definitions(), { "A.y": ["x"] })).toThrow("no object A.y");
});
