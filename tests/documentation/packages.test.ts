import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly files?: readonly string[];
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
}

const root = join(import.meta.dirname, "../..");

const published = readdirSync(join(root, "packages"))
  .map((name) => join(root, "packages", name))
  .map((folder) => ({ folder, manifest: JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest }))
  .filter(({ manifest }) => manifest.private !== true)
  .map(({ folder, manifest }) => ({ name: manifest.name, folder, manifest }));

describe.each(published)("the package $name as it is published", ({ folder, manifest }) => {
  test.each(["LICENSE", "NOTICE"])("holds the %s of the project", (name) => {
    expect(readFileSync(join(folder, name), "utf8")).toBe(readFileSync(join(root, name), "utf8"));
  });

  test("holds what is compiled, no record of the compiler, and a README", () => {
    expect(manifest.files).toEqual(["dist", "!dist/.tsbuildinfo", "NOTICE"]);
    expect(existsSync(join(folder, "README.md"))).toBe(true);
  });

  test("leads to files that are not published under a condition of our own only", () => {
    const targets = Object.values(manifest.exports ?? {}).filter((target) => typeof target === "object");
    for (const target of targets) {
      for (const [condition, file] of Object.entries(target)) {
        expect(file.startsWith("./dist/")).toBe(condition !== "@polyphase/source");
      }
    }
  });
});
