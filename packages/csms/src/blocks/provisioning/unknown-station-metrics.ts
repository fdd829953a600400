import type { Metrics } from "../../api/metrics.ts";
import type { UnknownStationCounts } from "./service.ts";

const gauges = {
  waiting: ["polyphase_unknown_stations_waiting", "Stations that wait for approval"],
  networks: ["polyphase_unknown_stations_networks", "Networks from which stations came that wait for approval"],
  mostOfOneNetwork: [
    "polyphase_unknown_stations_of_one_network",
    "Most stations of one network that wait for approval",
  ],
} as const;

const counters = {
  turnedAway: ["polyphase_unknown_stations_turned_away_total", "Unknown stations for which there was no place"],
  displaced: [
    "polyphase_unknown_stations_displaced_total",
    "Unknown stations that lost their place to one of a network with fewer",
  ],
} as const;

/** Shows what becomes of stations that nobody knows. */
export function registerUnknownStations(metrics: Metrics, counts: () => UnknownStationCounts): void {
  for (const key of Object.keys(gauges) as (keyof typeof gauges)[]) {
    const [name, help] = gauges[key];
    metrics.gauge({
      name,
      help,
      collect() {
        this.set(counts()[key]);
      },
    });
  }
  for (const key of Object.keys(counters) as (keyof typeof counters)[]) {
    const [name, help] = counters[key];
    metrics.counter({
      name,
      help,
      collect() {
        this.reset();
        this.inc(counts()[key]);
      },
    });
  }
}
