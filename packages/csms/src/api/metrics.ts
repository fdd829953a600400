import type { FastifyInstance } from "fastify";
import {
  Counter,
  type CounterConfiguration,
  collectDefaultMetrics,
  Gauge,
  type GaugeConfiguration,
  Histogram,
  type HistogramConfiguration,
  Registry,
} from "prom-client";

type Unregistered<Configuration> = Omit<Configuration, "registers">;

/**
 * The metrics of one CSMS, with a registry of its own so that two in one process do not mix. Names begin with
 * `polyphase_` and end with their unit, as Prometheus recommends.
 */
export class Metrics {
  readonly registry = new Registry();

  /** A count that only grows. */
  counter<Label extends string>(settings: Unregistered<CounterConfiguration<Label>>): Counter<Label> {
    return new Counter({ ...settings, registers: [this.registry] });
  }

  /** A value that goes up and down. Give `collect` to read it when it is asked for. */
  gauge<Label extends string>(settings: Unregistered<GaugeConfiguration<Label>>): Gauge<Label> {
    return new Gauge({ ...settings, registers: [this.registry] });
  }

  /** A distribution, such as of durations. */
  histogram<Label extends string>(settings: Unregistered<HistogramConfiguration<Label>>): Histogram<Label> {
    return new Histogram({ ...settings, registers: [this.registry] });
  }

  /** Adds memory, CPU, event loop and garbage collection of the process. */
  collectProcess(): void {
    collectDefaultMetrics({ register: this.registry });
  }
}

/** Serves `/metrics` and measures every request of the server by route pattern, never by path. */
export function registerMetrics(server: FastifyInstance, metrics: Metrics): void {
  const duration = metrics.histogram({
    name: "polyphase_http_request_duration_seconds",
    help: "Duration of HTTP requests until the response was sent",
    labelNames: ["method", "route", "status"],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  });
  server.addHook("onResponse", async (request, reply) => {
    duration.observe(
      { method: request.method, route: request.routeOptions.url ?? "none", status: String(reply.statusCode) },
      reply.elapsedTime / 1000,
    );
  });
  server.get("/metrics", { schema: { hide: true }, config: { role: "anyone" } }, async (_request, reply) => {
    const text = await metrics.registry.metrics();
    return reply.header("content-type", metrics.registry.contentType).send(text);
  });
}
