import { connect, type Socket } from "node:net";
import { startTestDatabase } from "@polyphase/testing";
import { expect } from "vitest";
import { eventually, type Item, type RunningCsms, runCsms } from "../system/running-csms.ts";
import { HeldCommits } from "./held-commits.ts";

/** What the CSMS holds open and has under way, as its metrics tell. */
export interface Load {
  /** TCP connections at the ports of stations. */
  readonly sockets: number;
  readonly handshakes: number;
  readonly requests: number;
  readonly calls: number;
  /** Stations with a session. */
  readonly stations: number;
}

const gauges: { readonly [Key in keyof Load]: string } = {
  sockets: "polyphase_station_sockets",
  handshakes: "polyphase_station_handshakes_pending",
  requests: "polyphase_station_requests_pending",
  calls: "polyphase_station_calls_pending",
  stations: "polyphase_stations_connected",
};

/** Nothing is connected and nothing is under way. */
export const noLoad: Load = { sockets: 0, handshakes: 0, requests: 0, calls: 0, stations: 0 };

/** A CSMS whose open ends can be counted and whose commits can be held. */
export interface WatchedCsms extends RunningCsms {
  load(): Promise<Load>;
  /** Sum of a metric over its labels. */
  metric(name: string): Promise<number>;
  /** Resolves when exactly this is open and under way; what is left out is 0. */
  untilLoad(expected: Partial<Load>, patienceMs?: number): Promise<void>;
  holdCommits(): Promise<HeldCommits>;
  /** What a command or call by the API came to: status and problem type, or the station's answer. */
  call(stationId: string, action: string, payload?: unknown, timeoutS?: number): Promise<CallOutcome>;
  /** The events of a station of some types, the oldest first. */
  events(stationId: string, ...types: readonly string[]): Promise<readonly Item[]>;
}

/** What the API answered to a call of a station. */
export interface CallOutcome {
  readonly status: number;
  /** Last part of the problem's type; "answer" where there is none. */
  readonly what: string;
  readonly body: Item;
}

/** Starts one, as {@link runCsms} does. */
export async function runWatchedCsms(settings: Readonly<Record<string, string>> = {}): Promise<WatchedCsms> {
  const database = await startTestDatabase();
  const running = await runCsms({ DATABASE_URL: database.url, ...settings });

  async function samples(): Promise<readonly (readonly [name: string, value: number])[]> {
    const text = await (await fetch(`${running.csms.httpUrl}/metrics`)).text();
    const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    return lines.map((line) => [line.split(/[ {]/, 1)[0] ?? "", Number(line.split(" ").at(-1))]);
  }

  const sum = (all: readonly (readonly [string, number])[], wanted: string) =>
    all.reduce((total, [name, value]) => (name === wanted ? total + value : total), 0);

  async function load(): Promise<Load> {
    const all = await samples();
    return Object.fromEntries(Object.entries(gauges).map(([key, name]) => [key, sum(all, name)])) as unknown as Load;
  }

  async function untilLoad(expected: Partial<Load>, patienceMs = 60_000): Promise<void> {
    const wanted = { ...noLoad, ...expected };
    let last: Load | undefined;
    const same = async () => {
      last = await load();
      return JSON.stringify(last) === JSON.stringify(wanted) ? true : undefined;
    };
    // The comparison tells what is left, where patience alone would not.
    await eventually("the load", same, patienceMs).catch(() => expect(last).toEqual(wanted));
  }

  return {
    ...running,
    load,
    untilLoad,
    metric: async (name) => sum(await samples(), name),
    holdCommits: () => HeldCommits.hold(database.url),
    async call(stationId, action, payload = {}, timeoutS = 20) {
      const path = `/stations/${encodeURIComponent(stationId)}/calls?timeoutS=${timeoutS}`;
      const { status, body } = await running.api("POST", path, { action, payload });
      return { status, body, what: typeof body.type === "string" ? (body.type.split("/").at(-1) ?? "") : "answer" };
    },
    async events(stationId, ...types) {
      const query = `stationId=${encodeURIComponent(stationId)}&type=${types.join(",")}&limit=200`;
      const { body } = await running.api("GET", `/events?${query}`);
      return (body.items ?? []).toSorted((first, second) => Number(first.id) - Number(second.id));
    },
    async close() {
      await running.close();
      await database.drop();
    },
  };
}

/** A TCP connection to the stations' port that nobody speaks for. It never ends its half by itself. */
export async function openTcp(running: RunningCsms): Promise<Socket> {
  const socket = connect({ port: running.csms.ocppPort, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
  socket.on("error", () => {});
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  return socket;
}
