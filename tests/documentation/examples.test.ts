import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const packages = ["ocpp"];

/** The TypeScript blocks of a Markdown text, with the heading that each stands under. */
function examples(markdown: string): { heading: string; code: string }[] {
  const found: { heading: string; code: string }[] = [];
  let heading = "";
  for (const match of markdown.matchAll(/^#+ (.+)$|^```ts\n([\s\S]*?)^```$/gm)) {
    if (match[1] !== undefined) heading = match[1];
    if (match[2] !== undefined) found.push({ heading, code: match[2] });
  }
  return found;
}

for (const name of packages) {
  const folder = join(root, "packages", name);
  const markdown = await readFile(join(folder, "README.md"), "utf8");
  describe(`the examples of packages/${name}/README.md`, () => {
    it("exist", () => {
      expect(examples(markdown).length).toBeGreaterThan(0);
    });

    it.each(examples(markdown))("compile and run: $heading", async ({ code }) => {
      const cache = join(root, ".cache");
      await mkdir(cache, { recursive: true });
      const place = await mkdtemp(join(cache, "example-"));
      try {
        await writeFile(join(place, "example.ts"), code);
        await writeFile(
          join(place, "tsconfig.json"),
          JSON.stringify({
            extends: join(root, "tsconfig.check.json"),
            compilerOptions: { noUnusedLocals: false },
            include: ["example.ts"],
          }),
        );
        const node = (...args: string[]) =>
          promisify(execFile)(process.execPath, args, { cwd: place, timeout: 50_000 });
        await node(join(root, "node_modules", "typescript", "bin", "tsc"), "-p", "tsconfig.json");
        await node("--import", "tsx", "--conditions=@polyphase/source", "example.ts");
      } finally {
        await rm(place, { recursive: true });
      }
    });
  });
}
