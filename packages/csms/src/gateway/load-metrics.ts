import type { Metrics } from "../api/metrics.ts";

/** What the gateway holds open and has under way at one moment. */
export interface GatewayLoad {
  /** TCP connections at the ports of stations, also those that have not said yet who they are. */
  readonly sockets: number;
  /** Of those, the ones that ask for nothing: in front of or within a handshake or request, or between two requests. */
  readonly unfinished: number;
  /** Unfinished connections that were cut since the start because there were too many. */
  readonly cut: number;
  /** Stations whose WebSocket handshake waits for their authentication. */
  readonly handshakes: number;
  /** Messages of stations that are not answered yet, also those whose connection is gone. */
  readonly requests: number;
  /** Calls to stations that wait for their turn or for their answer. */
  readonly calls: number;
}

const gauges = {
  sockets: ["polyphase_station_sockets", "TCP connections at the ports of stations, whoever opened them"],
  unfinished: [
    "polyphase_station_sockets_unfinished",
    "TCP connections that have not asked for anything yet, or again",
  ],
  handshakes: ["polyphase_station_handshakes_pending", "Stations that are being authenticated"],
  requests: ["polyphase_station_requests_pending", "Messages of stations that are not answered yet"],
  calls: ["polyphase_station_calls_pending", "Calls to stations that wait for their turn or for their answer"],
} as const satisfies { readonly [Key in Exclude<keyof GatewayLoad, "cut">]: readonly [name: string, help: string] };

/** Offers what is open and under way as gauges: without load all of them return to 0. */
export function registerLoadMetrics(metrics: Metrics, load: () => GatewayLoad): void {
  metrics.counter({
    name: "polyphase_station_sockets_cut_total",
    help: "Unfinished connections that were cut because their network, or all together, had too many",
    collect() {
      this.reset();
      this.inc(load().cut);
    },
  });
  for (const key of Object.keys(gauges) as (keyof typeof gauges)[]) {
    const [name, help] = gauges[key];
    metrics.gauge({
      name,
      help,
      collect() {
        this.set(load()[key]);
      },
    });
  }
}
