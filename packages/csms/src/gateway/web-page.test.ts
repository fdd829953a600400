import { expect, it } from "vitest";
import { WebPages } from "./web-page.ts";

const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

it.each([
  ["of another site", { origin: "https://elsewhere.example", "user-agent": firefox }],
  ["of a file", { origin: "null", "user-agent": firefox }],
  ["of a name that leads here", { origin: "http://elsewhere.example:9000", host: "elsewhere.example:9000" }, firefox],
  ["whose browser hides its name", { origin: "http://localhost:3000", "sec-fetch-mode": "websocket" }],
])("a page %s may not speak as a station", (_what, headers: Record<string, string>, name?: string) => {
  const sent = name === undefined ? headers : { ...headers, "user-agent": name };
  expect(new WebPages().refusedOrigin(sent)).toBe(headers.origin);
});

it.each([
  ["sends no origin", {}],
  [
    "sends the origin file:// of its WebSocket library",
    { origin: "file://", "user-agent": "arduino-WebSocket-Client" },
  ],
  ["sends the server's address as its origin", { origin: "http://csms.example:9000", host: "csms.example:9000" }],
  ["sends the name of its board as its origin", { origin: "Flexduino" }],
  ["is named like a browser by its SOAP library", { "user-agent": "Mozilla/4.0 (compatible; MSIE 6.0)" }],
])("a station that %s is none", (_what, headers) => {
  expect(new WebPages().refusedOrigin(headers)).toBeUndefined();
});

it("pages that the operator names may, however their origin is spelt, and others still may not", () => {
  const pages = new WebPages(["https://Simulator.example"]);
  const from = (origin: string) => pages.refusedOrigin({ origin, "user-agent": firefox });
  expect(from("https://simulator.EXAMPLE")).toBeUndefined();
  expect(from("http://simulator.example")).toBe("http://simulator.example");
  expect(from("https://simulator.example.elsewhere.example")).toBeDefined();
});
