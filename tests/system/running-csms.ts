import { type Csms, createLog, loadConfig, startCsms } from "@polyphase/csms";
import type { StationVersion } from "@polyphase/station";
import { startTestDatabase } from "@polyphase/testing";

/** Token of the administrator in every system test. */
export const adminToken = "system-test-administrator";

/** A whole CSMS on ephemeral ports and a database of its own. */
export interface RunningCsms {
  readonly csms: Csms;
  readonly databaseUrl: string;
  /** Base of station addresses, JSON and SOAP. */
  urlFor(version: StationVersion): string;
  /** Calls the API below /api/v1. The answer's body is parsed when it is JSON. */
  api(method: string, path: string, body?: unknown): Promise<ApiAnswer>;
  close(): Promise<void>;
}

/** A JSON object whose shape differs from route to route. */
export type Item = Readonly<Record<string, unknown>>;

/** An answer of the API. */
export interface ApiAnswer {
  readonly status: number;
  readonly body: Item & { readonly items?: Item[]; readonly nextCursor?: string | null };
}

/** Address for stations of a version. */
export function stationUrl(version: StationVersion, port: number): string {
  const isSoap = version === "1.2" || version === "1.5" || version === "1.6S";
  return isSoap ? `http://127.0.0.1:${port}/ocpp/soap` : `ws://127.0.0.1:${port}/ocpp`;
}

/** Calls the API of any CSMS. */
export async function callApi(httpUrl: string, method: string, path: string, body?: unknown): Promise<ApiAnswer> {
  const response = await fetch(`${httpUrl}/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${adminToken}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? {} : JSON.parse(text) };
}

/** All items of a list, page by page. */
export async function listAll(httpUrl: string, path: string): Promise<Item[]> {
  const items: Item[] = [];
  let cursor = "";
  do {
    const page = await callApi(httpUrl, "GET", `${path}${path.includes("?") ? "&" : "?"}limit=200${cursor}`);
    if (page.status !== 200) throw new Error(`GET ${path} was answered with ${page.status}`);
    items.push(...(page.body.items ?? []));
    cursor = typeof page.body.nextCursor !== "string" ? "" : `&cursor=${encodeURIComponent(page.body.nextCursor)}`;
  } while (cursor !== "");
  return items;
}

/** For tests in which the database is there all the time: a busy machine must not make it look away. */
export const patientDatabaseTimes = {
  answerTimeoutMs: 60_000,
  connectTimeoutMs: 60_000,
  attemptTimeoutMs: 60_000,
  patienceMs: 60_000,
} as const;

/**
 * Starts a CSMS in this process. `settings` are variables of the environment. The lines of its log go to `destination`
 * from the level on that `POLYPHASE_LOG_LEVEL` says, which is none unless it is set.
 */
export async function runCsms(
  settings: Readonly<Record<string, string>> = {},
  destination?: { write(line: string): void },
): Promise<RunningCsms> {
  const database = await startTestDatabase();
  const config = loadConfig({
    DATABASE_URL: database.url,
    POLYPHASE_OCPP_PORT: "0",
    POLYPHASE_HTTP_PORT: "0",
    POLYPHASE_ADMIN_TOKEN: adminToken,
    POLYPHASE_UNKNOWN_STATIONS: "accept",
    POLYPHASE_LOG_LEVEL: "silent",
    ...settings,
  });
  const log = createLog({ level: config.logLevel, ...(destination === undefined ? {} : { destination }) });
  const csms = await startCsms({ config, log, version: "0.0.0-test", databaseTimes: patientDatabaseTimes });
  return {
    csms,
    databaseUrl: database.url,
    urlFor: (version) => stationUrl(version, csms.ocppPort),
    api: (method, path, body) => callApi(csms.httpUrl, method, path, body),
    async close() {
      await csms.close();
      await database.drop();
    },
  };
}

/**
 * Waits until a question has an answer, and asks again after a moment while it has none. Patience only ends what
 * hangs: it is far longer than a slow machine needs.
 */
export async function eventually<Answer>(
  what: string,
  ask: () => Promise<Answer | undefined> | Answer | undefined,
  patienceMs = 60_000,
): Promise<Answer> {
  const until = Date.now() + patienceMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > until) throw new Error(`${what} did not come to pass within ${patienceMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
