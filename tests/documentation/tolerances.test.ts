import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type RunningCsms, runCsms } from "../system/running-csms.ts";

const guide = readFileSync(join(import.meta.dirname, "../../docs/guides/chargers-that-break-the-rules.md"), "utf8");
let running: RunningCsms;

beforeAll(async () => {
  running = await runCsms();
});

afterAll(() => running.close());

it("the guide to chargers that break the rules lists every name with its default, in the order of the API", async () => {
  const { body } = await running.api("GET", "/tolerance-rules");
  const listed = [...guide.matchAll(/^\| `([a-z-]+)` \| (on|off|always|refused) \| \S.*\S \| \S.*\S \|$/gm)];
  expect(listed.map(([, name, state]) => [name, state])).toEqual(
    body.items?.map(({ name, kind, enabledByDefault, switchable }) => {
      if (kind === "rejection") return [name, "refused"];
      return [name, switchable === true ? (enabledByDefault === true ? "on" : "off") : "always"];
    }),
  );
});

it("the rules of a station are those that can be switched, as they are by default", async () => {
  await running.api("PUT", "/stations/CS1", {});
  const { body } = await running.api("GET", "/stations/CS1/tolerances");
  const { body: all } = await running.api("GET", "/tolerance-rules");
  expect(body.items).toEqual(
    all.items
      ?.filter(({ switchable }) => switchable)
      .map(({ name, description, enabledByDefault }) => ({
        ...{ rule: name, description, enabled: enabledByDefault, decidedFor: "default" },
      })),
  );
});

it("the guide names the rules that a switch reaches with the next connection only", async () => {
  const { body } = await running.api("GET", "/tolerance-rules");
  const late = body.items?.filter(({ appliesFrom }) => appliesFrom === "connection").map(({ name }) => name);
  expect(late).toEqual(["missing-subprotocol", "no-ping"]);
  expect(guide).toContain("`no-ping` and\n`missing-subprotocol` from the next connection on");
});

it("the examples of the guide switch a rule on, off and back", async () => {
  const path = "/stations/CS1/tolerances/no-ping";
  const state = async () => {
    const { body } = await running.api("GET", "/stations/CS1/tolerances");
    const found = body.items?.find(({ rule }) => rule === "no-ping");
    return [found?.enabled, found?.decidedFor];
  };
  await running.api("PUT", "/stations/CS1", {});
  expect(await running.api("PUT", path, { enabled: true })).toMatchObject({ status: 204 });
  expect(await state()).toEqual([true, "station"]);
  expect(await running.api("PUT", path, { enabled: false })).toMatchObject({ status: 204 });
  expect(await state()).toEqual([false, "station"]);
  expect(await running.api("DELETE", path)).toMatchObject({ status: 204 });
  expect(await state()).toEqual([false, "default"]);
});

it("the examples of the guide switch a rule for a model, and back", async () => {
  const decision = { vendorName: "ACME", model: "Wallbox*", enabled: true };
  expect(await running.api("PUT", "/model-tolerances/spaced-calls", decision)).toMatchObject({ status: 204 });
  const listed = await running.api("GET", "/model-tolerances");
  expect(listed.body.items).toEqual([{ ...decision, rule: "spaced-calls" }]);
  const path = "/model-tolerances/spaced-calls?vendorName=ACME&model=Wallbox*";
  expect(await running.api("DELETE", path)).toMatchObject({ status: 204 });
  expect((await running.api("GET", "/model-tolerances")).body.items).toEqual([]);
});
