import type { Counter } from "prom-client";
import type { Metrics } from "../api/metrics.ts";
import type { StationSessions } from "./station-sessions.ts";

interface MessageCount {
  readonly version: string;
  readonly direction: string;
  readonly kind: string;
  count: number;
}

/** What the gateway counts. Labels are few and never an identity. */
export class GatewayMetrics {
  /** Counted here and told when asked: a counter with labels costs a hundred times an addition. */
  readonly #messages = new Map<string, MessageCount>();
  readonly #refusedHandshakes: Counter<"cause">;
  readonly #violations: Counter<"version" | "direction">;
  readonly #ignored: Counter<string>;
  readonly #failures: Counter<string>;

  constructor(metrics: Metrics, sessions: StationSessions) {
    const messages = this.#messages;
    metrics.counter({
      name: "polyphase_station_messages_total",
      help: "Messages exchanged with stations",
      labelNames: ["version", "direction", "kind"],
      collect() {
        this.reset();
        for (const { version, direction, kind, count } of messages.values()) {
          this.inc({ version, direction, kind }, count);
        }
      },
    });
    this.#refusedHandshakes = metrics.counter({
      name: "polyphase_station_handshakes_refused_total",
      help: "Stations turned away before they could speak",
      labelNames: ["cause"],
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
    const known = this.#messages.get(key);
    if (known === undefined) this.#messages.set(key, { version, direction, kind, count: 1 });
    else known.count += 1;
  }

  handshakeRefused(cause: string): void {
    this.#refusedHandshakes.inc({ cause });
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
