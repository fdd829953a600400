import type { FastifyInstance } from "fastify";

/**
 * Remembers the routes of a server to tell which methods a path has, because Fastify answers 404 to a path that
 * exists with other methods only. Call before routes are added.
 */
export function allowedMethods(server: FastifyInstance): (path: string) => readonly string[] {
  const routes: { segments: readonly string[]; methods: readonly string[] }[] = [];
  server.addHook("onRoute", ({ url, method }) => {
    routes.push({ segments: segmentsOf(url), methods: Array.isArray(method) ? method : [method] });
  });
  return (path) => {
    const segments = segmentsOf(path);
    const methods = routes.filter((route) => fits(route.segments, segments)).flatMap((route) => route.methods);
    return [...new Set(methods)].sort();
  };
}

function segmentsOf(url: string): string[] {
  return (url.split("?", 1)[0] ?? "").split("/");
}

function fits(pattern: readonly string[], path: readonly string[]): boolean {
  for (const [index, part] of pattern.entries()) {
    if (part === "*") return true;
    const segment = path[index];
    if (segment === undefined) return false;
    if (part.startsWith(":") ? segment === "" : part !== segment) return false;
  }
  return pattern.length === path.length;
}
