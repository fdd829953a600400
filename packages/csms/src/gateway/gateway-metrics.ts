import type { Counter } from "prom-client";
import type { Metrics } from "../api/metrics.ts";
import type { StationSessions } from "./station-sessions.ts";

/** What the gateway counts. Labels are few and never an identity. */
export class GatewayMetrics {
  readonly #messages: Counter<"version" | "direction" | "kind">;
  /** Looking a counter up by its labels costs more than counting. */
  readonly #messageCounters = new Map<string, Counter.Internal>();
  readonly #refusedHandshakes: Counter<"cause">;
  readonly #tolerated: Counter<"rule" | "version">;
  readonly #violations: Counter<"version" | "direction">;
  readonly #ignored: Counter<string>;
  readonly #failures: Counter<string>;

  constructor(metrics: Metrics, sessions: StationSessions) {
    this.#messages = metrics.counter({
      name: "polyphase_station_messages_total",
      help: "Messages exchanged with stations",
      labelNames: ["version", "direction", "kind"],
    });
    this.#refusedHandshakes = metrics.counter({
      name: "polyphase_station_handshakes_refused_total",
      help: "Stations turned away before they could speak",
      labelNames: ["cause"],
    });
    this.#tolerated = metrics.counter({
      name: "polyphase_station_tolerated_total",
      help: "Deviations from the specification that a rule let pass",
      labelNames: ["rule", "version"],
    });
    this.#violations = metrics.counter({
      name: "polyphase_station_violations_total",
      help: "Payloads of stations that were refused",
      labelNames: ["version", "direction"],
    });
    this.#ignored = metrics.counter({
      name: "polyphase_station_ignored_total",
      help: "Frames that no call waited for, or that could not be read",
    });
    this.#failures = metrics.counter({
      name: "polyphase_station_failures_total",
      help: "Messages of stations that failed for reasons of ours",
    });
    metrics.gauge({
      name: "polyphase_stations_connected",
      help: "Stations connected to this process",
      labelNames: ["version"],
      collect() {
        this.reset();
        for (const session of sessions.all()) this.inc({ version: session.version });
      },
    });
  }

  message(version: string, direction: string, kind: string): void {
    const key = version + direction + kind;
    let counter = this.#messageCounters.get(key);
    if (counter === undefined) {
      counter = this.#messages.labels({ version, direction, kind });
      this.#messageCounters.set(key, counter);
    }
    counter.inc();
  }

  handshakeRefused(cause: string): void {
    this.#refusedHandshakes.inc({ cause });
  }

  tolerated(rule: string, version: string): void {
    this.#tolerated.inc({ rule, version });
  }

  violated(version: string, direction: string): void {
    this.#violations.inc({ version, direction });
  }

  ignored(): void {
    this.#ignored.inc();
  }

  failed(): void {
    this.#failures.inc();
  }
}
