import { percentile } from "./bench-case.ts";
import type { CsmsUnderTest } from "./csms-under-test.ts";
import { type History, historyStation } from "./history-loader.ts";

/** A kind of request to the API. */
export interface ApiQuery {
  readonly what: string;
  /** Makes the path of one request, below `/api/v1`. */
  path(choose: Choose): string;
}

/** Whole numbers from 0 up to below a limit, the same in every run. */
export type Choose = (below: number) => number;

/** What requests took, in milliseconds. */
export interface Times {
  readonly p50Ms: number;
  readonly p95Ms: number;
}

/** A generator of Lehmer's, so that every run asks for the same things. */
export function choices(seed: number): Choose {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return Math.floor((state / 2_147_483_647) * below);
  };
}

const DAY_MS = 86_400_000;

interface Listed {
  readonly items: readonly { readonly id: string; readonly transactionId: string }[];
  readonly nextCursor: string | null;
}

/** What requests ask for beyond identities that are known beforehand. */
export interface Found {
  readonly transactions: Listed["items"];
  /** A cursor that lies deep in the list of all transactions; empty where one page holds them all. */
  readonly deepCursor: string;
}

/** Pages through the list of transactions, for identities and a cursor deep in it. */
export async function findTransactions(csms: CsmsUnderTest, pages: number): Promise<Found> {
  const transactions: Listed["items"][number][] = [];
  let cursor = "";
  for (let page = 0; page < pages; page++) {
    const query = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const { items, nextCursor } = (await csms.call("GET", `/transactions?status=Ended&limit=500${query}`)) as Listed;
    transactions.push(...items);
    if (nextCursor === null) break;
    cursor = nextCursor;
  }
  return { transactions, deepCursor: cursor };
}

/** The list, detail and aggregate requests that an operator's tools send. */
export function apiQueries(history: History, { transactions, deepCursor }: Found): readonly ApiQuery[] {
  const station = (choose: Choose) => historyStation(choose(history.stations));
  const day = (choose: Choose) => {
    const from = new Date(history.from.getTime() + choose(6) * DAY_MS);
    return `from=${from.toISOString()}&to=${new Date(from.getTime() + DAY_MS).toISOString()}`;
  };
  const week = `from=${history.from.toISOString()}&to=${history.to.toISOString()}`;
  const one = (choose: Choose) => transactions[choose(transactions.length)];
  // A history of one page has no cursor.
  const deep = deepCursor === "" ? "" : `&cursor=${encodeURIComponent(deepCursor)}`;
  return [
    { what: "stations, a page of 100", path: (choose) => `/stations?limit=100&site=SITE-${choose(50)}` },
    { what: "transactions, newest 100", path: () => "/transactions?limit=100" },
    { what: "transactions, 100 deep in the list", path: () => `/transactions?limit=100${deep}` },
    { what: "transactions of a station", path: (choose) => `/transactions?stationId=${station(choose)}&limit=100` },
    { what: "transactions of a token", path: (choose) => `/transactions?idToken=token-${choose(5_000)}&limit=100` },
    { what: "transactions of a day, ended", path: (choose) => `/transactions?${day(choose)}&status=Ended&limit=100` },
    { what: "transactions that run", path: () => "/transactions?status=Open&limit=100" },
    { what: "transactions abandoned", path: () => "/transactions?status=Abandoned&limit=100" },
    {
      what: "transaction by the station's id for it",
      path: (choose) => `/transactions?transactionId=${one(choose)?.transactionId}`,
    },
    { what: "transactions of an EVSE that few have", path: () => "/transactions?evseId=9&limit=100" },
    { what: "transactions by remote start", path: (choose) => `/transactions?remoteStartId=${choose(1_000_000)}` },
    { what: "transaction in detail", path: (choose) => `/transactions/${one(choose)?.id}` },
    { what: "events of a transaction", path: (choose) => `/transactions/${one(choose)?.id}/events?limit=500` },
    {
      what: "meter values of a transaction",
      path: (choose) => `/transactions/${one(choose)?.id}/meter-values?limit=500`,
    },
    {
      what: "meter values of a station, a day, 500",
      path: (choose) => `/meter-values?stationId=${station(choose)}&${day(choose)}&limit=500`,
    },
    {
      what: "meter values of a station, all, first 500",
      path: (choose) => `/meter-values?stationId=${station(choose)}&limit=500`,
    },
    {
      what: "meter values of a station, a measurand, newest day",
      path: (choose) =>
        `/meter-values?stationId=${station(choose)}&measurand=Power.Active.Import&limit=500&from=${new Date(
          history.to.getTime() - DAY_MS,
        ).toISOString()}`,
    },
    {
      what: "power of a station by quarter of an hour, a day",
      path: (choose) =>
        `/meter-values/summary?stationId=${station(choose)}&measurand=Power.Active.Import&bucketS=900&${day(choose)}`,
    },
    {
      what: "all series of a station by hour, a week",
      path: (choose) => `/meter-values/summary?stationId=${station(choose)}&bucketS=3600&${week}`,
    },
    { what: "energy of all transactions of a week", path: () => `/transactions/summary?${week}` },
    { what: "energy by day, a week", path: () => `/transactions/summary?${week}&by=day&timeZone=Europe/Berlin` },
    {
      what: "energy by day and station, first 500 of a week",
      path: () => `/transactions/summary?${week}&by=day,station&timeZone=Europe/Berlin&limit=500`,
    },
    {
      what: "energy of a station by day, a week",
      path: (choose) => `/transactions/summary?${week}&by=day&stationId=${station(choose)}`,
    },
    { what: "messages of a station, newest 100", path: (choose) => `/stations/${station(choose)}/messages?limit=100` },
    {
      what: "messages of a station with an error",
      path: (choose) => `/stations/${station(choose)}/messages?kind=CALLERROR&limit=100`,
    },
    {
      what: "messages of a station by action that is rare",
      path: (choose) => `/stations/${station(choose)}/messages?action=BootNotification&limit=100`,
    },
    { what: "domain events, newest 100", path: () => "/events?limit=100" },
    {
      what: "domain events of a day",
      path: (choose) => `/events?${day(choose).replace("from", "since").replace("to=", "until=")}&limit=100`,
    },
    { what: "domain events of a rare type", path: () => "/events?type=station.deleted&limit=100" },
    { what: "domain events of a station", path: (choose) => `/events?stationId=${station(choose)}&limit=100` },
  ];
}

/** Sends requests of one kind after each other. */
export async function timeQuery(csms: CsmsUnderTest, query: ApiQuery, count: number): Promise<Times> {
  const choose = choices(4_711);
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const path = query.path(choose);
    const begin = performance.now();
    await csms.call("GET", path);
    times.push(performance.now() - begin);
  }
  times.sort((a, b) => a - b);
  return { p50Ms: percentile(times, 0.5), p95Ms: percentile(times, 0.95) };
}
