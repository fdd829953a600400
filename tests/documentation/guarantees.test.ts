import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const readme = await readFile(join(root, "README.md"), "utf8");
const section = readme.split(/^## /m).find((part) => part.startsWith("What you can rely on")) ?? "";
const rows = section
  .split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| ---"))
  .slice(1)
  .map((line) => ({ guarantee: line.split("|")[1]?.trim() ?? "", shownBy: line.split("|")[2]?.trim() ?? "" }));
const linked = [...section.matchAll(/\]\(([^)]+\.test\.ts)\)/g)].map(([, path = ""]) => path);

describe("the guarantees of the README", () => {
  it.each(rows)("$guarantee", ({ shownBy }) => {
    expect(shownBy).toMatch(/\.test\.ts\)|^the same/);
  });

  it("name tests that exist", () => {
    expect(linked.length).toBeGreaterThan(rows.length);
    for (const path of linked) expect(existsSync(join(root, path)), path).toBe(true);
  });

  it("name every test of a fault", async () => {
    const files = (await readdir(join(root, "tests/faults"))).filter((file) => file.endsWith(".test.ts"));
    // The ledger of the soak is no guarantee, but the tool that looks for broken ones.
    const tests = files.filter((file) => file !== "soak-ledger.test.ts").map((file) => `tests/faults/${file}`);
    expect(linked).toEqual(expect.arrayContaining(tests));
  });
});
