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

it("the guide to chargers that break the rules lists every rule with its default, in the order of the API", async () => {
  await running.api("PUT", "/stations/CS1", {});
  const { body } = await running.api("GET", "/stations/CS1/tolerances");
  const listed = [...guide.matchAll(/^\| `([a-z-]+)` \| (on|off) \|/gm)].map(([, rule, state]) => [rule, state]);
  expect(listed).toEqual(body.items?.map(({ rule, enabled }) => [rule, enabled === true ? "on" : "off"]));
});

it("the examples of the guide switch a rule on, off and back", async () => {
  const path = "/stations/CS1/tolerances/no-ping";
  const state = async () => {
    const { body } = await running.api("GET", "/stations/CS1/tolerances");
    const found = body.items?.find(({ rule }) => rule === "no-ping");
    return [found?.enabled, found?.isOverridden];
  };
  await running.api("PUT", "/stations/CS1", {});
  expect(await running.api("PUT", path, { enabled: true })).toMatchObject({ status: 204 });
  expect(await state()).toEqual([true, true]);
  expect(await running.api("PUT", path, { enabled: false })).toMatchObject({ status: 204 });
  expect(await state()).toEqual([false, true]);
  expect(await running.api("DELETE", path)).toMatchObject({ status: 204 });
  expect(await state()).toEqual([false, false]);
});
