import type { FastifyInstance } from "fastify";
import type { Clock } from "../clock.ts";
import { escapeHtml, htmlPage, PAGE_CSS } from "./html.ts";

/** A figure of the status page, for example stations connected. */
export interface StatusFigure {
  readonly label: string;
  readonly value: number | string;
}

/** What the status page shows. */
export interface StatusPageOptions {
  readonly version: string;
  readonly startedAt: Date;
  readonly clock: Clock;
  figures(): readonly StatusFigure[];
}

/** Serves the status page at `/`: plain HTML without scripts. */
export function registerStatusPage(server: FastifyInstance, options: StatusPageOptions): void {
  const config = { role: "anyone" } as const;
  server.get("/page.css", { config, schema: { hide: true } }, (_request, reply) =>
    reply.header("content-type", "text/css; charset=utf-8").header("cache-control", "max-age=3600").send(PAGE_CSS),
  );
  server.get("/", { config, schema: { hide: true } }, (_request, reply) =>
    reply
      .header("content-type", "text/html; charset=utf-8")
      .header("cache-control", "no-store")
      .send(statusPage(options)),
  );
}

function statusPage({ version, startedAt, clock, figures }: StatusPageOptions): string {
  const uptimeS = Math.max(0, Math.floor((clock.now().getTime() - startedAt.getTime()) / 1000));
  const rows: readonly StatusFigure[] = [
    { label: "Version", value: version },
    { label: "Up for", value: describeDuration(uptimeS) },
    ...figures(),
  ];
  const table = rows
    .map(
      ({ label, value }) => `<tr><th scope="row">${escapeHtml(label)}</th><td>${escapeHtml(String(value))}</td></tr>`,
    )
    .join("\n");
  return htmlPage(
    "Polyphase",
    `<h1>Polyphase charging station management system</h1>
<table>
<caption>State of this server</caption>
<tbody>
${table}
</tbody>
</table>
<h2>Where to go</h2>
<ul>
<li><a href="/api/docs">API documentation</a></li>
<li><a href="/api/openapi.json">OpenAPI document</a></li>
<li><a href="/health/ready">Readiness</a></li>
<li><a href="/metrics">Metrics for Prometheus</a></li>
</ul>`,
  );
}

/** A duration in words with its two largest units, for example `3 d 4 h`. */
export function describeDuration(durationS: number): string {
  const units = [
    ["d", 86_400],
    ["h", 3_600],
    ["min", 60],
    ["s", 1],
  ] as const;
  const first = units.findIndex(([, sizeS]) => durationS >= sizeS);
  if (first === -1) return "0 s";
  let restS = durationS;
  return units
    .slice(first, first + 2)
    .map(([name, sizeS]) => {
      const count = Math.floor(restS / sizeS);
      restS -= count * sizeS;
      return `${count} ${name}`;
    })
    .join(" ");
}
