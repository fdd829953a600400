import type { FastifyInstance } from "fastify";
import { Type } from "typebox";
import { escapeHtml, htmlPage } from "./html.ts";
import { notFound, PROBLEM_PATH } from "./problem.ts";
import { type ProblemType, problemTypes } from "./problem-types.ts";

const table: ReadonlyMap<string, ProblemType> = new Map(Object.entries(problemTypes));

/** Serves the explanation that the `type` of a problem document points to. */
export function registerProblemPages(server: FastifyInstance): void {
  const config = { role: "anyone" } as const;
  server.get(PROBLEM_PATH, { config, schema: { hide: true } }, (_request, reply) => {
    const rows = [...table].map(
      ([slug, { status, title }]) =>
        `<tr><td>${status}</td><td><a href="${PROBLEM_PATH}/${slug}">${escapeHtml(slug)}</a></td><td>${escapeHtml(title)}</td></tr>`,
    );
    return reply
      .header("content-type", "text/html; charset=utf-8")
      .send(
        htmlPage(
          "Problem types",
          `<h1>Problem types</h1><table><thead><tr><th scope="col">Status</th><th scope="col">Type</th>` +
            `<th scope="col">Title</th></tr></thead><tbody>${rows.join("\n")}</tbody></table>`,
        ),
      );
  });
  server.get<{ Params: { slug: string } }>(
    `${PROBLEM_PATH}/:slug`,
    { config, schema: { hide: true, params: Type.Object({ slug: Type.String() }) } },
    (request, reply) => {
      const { slug } = request.params;
      const type = table.get(slug);
      if (type === undefined) throw notFound("problem type", slug);
      return reply
        .header("content-type", "text/html; charset=utf-8")
        .send(
          htmlPage(
            type.title,
            `<h1>${escapeHtml(type.title)}</h1><p>HTTP status ${type.status}.</p><p>${escapeHtml(type.explanation)}</p>` +
              `<p><a href="${PROBLEM_PATH}">All problem types</a></p>`,
          ),
        );
    },
  );
}
