import { readFileSync } from "node:fs";
import { join } from "node:path";
import { settingsTable } from "@polyphase/csms";
import { expect, it } from "vitest";

it("the guide to the configuration has the table of all settings as they are", () => {
  const guide = readFileSync(join(import.meta.dirname, "../../docs/guides/configuration.md"), "utf8");
  expect(guide).toContain(settingsTable());
});
