import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CommandRegistry } from "../../gateway/commands.ts";
import { type Json, TransactionBench } from "../transactions/fixture.ts";

let bench: TransactionBench;
let tokens = 0;
const newToken = () => `TOKEN-${++tokens}`;

beforeAll(async () => {
  bench = await TransactionBench.start({ unknownTokens: "reject" });
});

afterAll(async () => {
  await bench.stop();
});

async function put(idToken: string, settings: object = {}): Promise<Json> {
  const { status, body } = await bench.api("PUT", `/id-tokens/${encodeURIComponent(idToken)}`, settings);
  expect([200, 201]).toContain(status);
  return body;
}

const authorize1 = async (idTag: string, stationId = "CS-1") =>
  (await bench.call1(stationId, "Authorize", { idTag })).idTagInfo;

const authorize2 = async (idToken: string, type = "ISO14443", stationId = "CS-1") =>
  (await bench.call2(stationId, "Authorize", { idToken: { idToken, type } })).idTokenInfo;

async function start1(idTag: string, stationId: string, connectorId = 1, minute = 0) {
  const timestamp = new Date(Date.parse("2026-03-01T10:00:00Z") + minute * 60_000).toISOString();
  return bench.call1(stationId, "StartTransaction", { connectorId, idTag, timestamp, meterStart: 0 });
}

describe("a token", () => {
  it("is accepted in both families, in any case of letters (1.6 §7.28, 2.1 IdTokenType)", async () => {
    const idToken = newToken();
    await put(idToken);
    expect(await authorize1(idToken.toLowerCase())).toEqual({ status: "Accepted" });
    expect(await authorize2(idToken.toLowerCase())).toEqual({ status: "Accepted" });
  });

  it("that nobody knows is Invalid in 1.x, Unknown in 2.x, and Invalid when it is a KeyCode (C04.FR.01)", async () => {
    expect(await authorize1("NOBODY")).toEqual({ status: "Invalid" });
    expect(await authorize2("NOBODY")).toEqual({ status: "Unknown" });
    expect(await authorize2("1234", "KeyCode")).toEqual({ status: "Invalid" });
    expect(await authorize1("")).toEqual({ status: "Invalid" });
  });

  it("of another type is another token (C01.FR.25)", async () => {
    const idToken = newToken();
    await put(idToken, { type: "eMAID" });
    expect(await authorize2(idToken, "eMAID")).toEqual({ status: "Accepted" });
    expect(await authorize2(idToken, "ISO14443")).toEqual({ status: "Unknown" });
    expect(await authorize1(idToken)).toEqual({ status: "Accepted" });
  });

  it("tells its group, its expiry, its languages and its message (C01.FR.06)", async () => {
    const idToken = newToken();
    await put(idToken, {
      groupIdToken: "FAMILY",
      expiresAt: "2027-01-01T00:00:00.000Z",
      language1: "nl",
      language2: "en",
      personalMessage: { format: "UTF8", content: "Goedendag" },
    });
    expect(await authorize1(idToken)).toEqual({
      status: "Accepted",
      parentIdTag: "FAMILY",
      expiryDate: "2027-01-01T00:00:00.000Z",
    });
    expect(await authorize2(idToken)).toEqual({
      status: "Accepted",
      groupIdToken: { idToken: "FAMILY", type: "Central" },
      cacheExpiryDateTime: "2027-01-01T00:00:00.000Z",
      language1: "nl",
      language2: "en",
      personalMessage: { format: "UTF8", content: "Goedendag" },
    });
    expect((await bench.api("PUT", `/id-tokens/${idToken}`, { language2: "en" })).status).toBe(400);
  });

  it("leaves out a group whose name no idTag can hold", async () => {
    const idToken = newToken();
    await put(idToken, { groupIdToken: "G".repeat(21) });
    expect(await authorize1(idToken)).toEqual({ status: "Accepted" });
  });

  it("expires by our clock", async () => {
    const idToken = newToken();
    await put(idToken, { expiresAt: "2026-03-01T12:00:30Z" });
    expect((await authorize1(idToken)).status).toBe("Accepted");
    bench.clock.advance(30_000);
    expect((await authorize1(idToken)).status).toBe("Expired");
    expect((await authorize2(idToken)).status).toBe("Expired");
  });

  it("is refused for the reason that was given, in the words of each family", async () => {
    const idToken = newToken();
    const words = [
      ["Blocked", "Blocked"],
      ["NoCredit", "Blocked"],
      ["NotAllowedTypeEVSE", "Invalid"],
      ["NotAtThisTime", "Invalid"],
    ] as const;
    for (const [status, in1] of words) {
      await put(idToken, { status });
      expect((await authorize2(idToken)).status).toBe(status);
      expect((await authorize1(idToken)).status).toBe(in1);
    }
  });

  it("is good at its stations and EVSEs only (C01.FR.20, C01.FR.22)", async () => {
    const idToken = newToken();
    await put(idToken, { allowedStations: [{ stationId: "HERE" }, { stationId: "PARTLY", evseIds: [2, 3] }] });
    expect(await authorize2(idToken, "ISO14443", "HERE")).toEqual({ status: "Accepted" });
    expect(await authorize2(idToken, "ISO14443", "PARTLY")).toEqual({ status: "Accepted", evseId: [2, 3] });
    expect(await authorize2(idToken, "ISO14443", "ELSEWHERE")).toEqual({ status: "NotAtThisLocation" });
    expect((await start1(idToken, "PARTLY", 1)).idTagInfo.status).toBe("Invalid");
    expect((await start1(idToken, "PARTLY", 2)).idTagInfo.status).toBe("Accepted");
    await put(idToken, { allowedSites: ["Depot"] });
    expect((await authorize2(idToken)).status).toBe("NotAtThisLocation");
  });

  it("has as many transactions at once as it is allowed, and counts those that were accepted", async () => {
    const idToken = newToken();
    await put(idToken, { maxConcurrentTransactions: 1 });
    const first = await start1(idToken, "CONC-1");
    expect(first.idTagInfo.status).toBe("Accepted");
    const second = await start1(idToken.toLowerCase(), "CONC-2");
    expect(second.idTagInfo.status).toBe("ConcurrentTx");
    // A repeat gets the answer of the first time, and merely asking counts nothing.
    expect(await start1(idToken, "CONC-1")).toEqual(first);
    expect(await start1(idToken.toLowerCase(), "CONC-2")).toEqual(second);
    expect((await authorize1(idToken)).status).toBe("Accepted");
    // The next start on the connector ends the one before, whose stop was lost.
    expect((await start1(idToken, "CONC-1", 1, 30)).idTagInfo.status).toBe("Accepted");
    await bench.restart();
    expect((await start1(idToken, "CONC-3")).idTagInfo.status).toBe("ConcurrentTx");
    const [, open] = await bench.list("CONC-1");
    const stop = { transactionId: Number(open?.transactionId), timestamp: "2026-03-01T11:00:00Z", meterStop: 9 };
    await bench.call1("CONC-1", "StopTransaction", stop);
    expect((await start1(idToken, "CONC-4")).idTagInfo.status).toBe("Accepted");
  });

  it("that was started offline and is not accepted is recorded, and answered each time", async () => {
    const answer = await start1("STRANGER", "OFF-1");
    expect(answer.idTagInfo.status).toBe("Invalid");
    expect(await start1("STRANGER", "OFF-1")).toEqual(answer);
    expect(await bench.list("OFF-1")).toMatchObject([{ idToken: { idToken: "STRANGER", status: "Unknown" } }]);
  });
});

describe("Authorize with a contract certificate", () => {
  it("is answered that it cannot be verified (C07.FR.17)", async () => {
    const idToken = newToken();
    await put(idToken, { type: "eMAID" });
    const answer = await bench.call2("CS-1", "Authorize", {
      idToken: { idToken, type: "eMAID" },
      certificate: "-----BEGIN CERTIFICATE-----",
    });
    expect(answer).toEqual({ idTokenInfo: { status: "Invalid" }, certificateStatus: "CertChainError" });
  });
});

describe("a remote start", () => {
  type Prepare = (stationId: string, request: object) => Promise<object>;
  type Completed = (stationId: string, request: object, response: object) => void;
  let prepare: Prepare;
  let completed: Completed;

  beforeAll(() => {
    const registry = {
      prepare: (_action: string, step: Prepare) => {
        prepare = step;
      },
      completed: (_action: string, step: Completed) => {
        completed = step;
      },
    };
    bench.authorization.registerCommands(registry as unknown as CommandRegistry);
  });

  it("makes its token good at that station, also after a restart (C05)", async () => {
    const request = { remoteStartId: 77, evseId: 1, idToken: { idToken: "APP-1", type: "Central" } };
    expect(await prepare("REM-1", request)).toBe(request);
    await bench.restart();
    expect((await authorize2("app-1", "Central", "REM-1")).status).toBe("Accepted");
    expect((await authorize2("APP-1", "Central", "REM-2")).status).toBe("Unknown");
    bench.clock.advance(8 * 86_400_000);
    expect((await authorize2("APP-1", "Central", "REM-1")).status).toBe("Unknown");
  });

  it("is the cause of the transaction of family 1 that follows it, once", async () => {
    bench.authorization.registerCommands({ prepare: keepPrepare, completed: keepCompleted } as never);
    await prepare("REM-3", { remoteStartId: 78, evseId: 1, idToken: { idToken: "APP-2", type: "Central" } });
    await start1("APP-2", "REM-3", 2, 0);
    await start1("APP-2", "REM-3", 1, 1);
    await start1("APP-2", "REM-3", 1, 60);
    await bench.transactions.settled();
    expect((await bench.list("REM-3")).map(({ remoteStartId }) => remoteStartId)).toEqual([undefined, 78, undefined]);
  });

  it("is off when the station refuses it, and harmless when it is not even a request", async () => {
    bench.authorization.registerCommands({ prepare: keepPrepare, completed: keepCompleted } as never);
    const request = { remoteStartId: 79, idToken: { idToken: "APP-3", type: "Central" } };
    await prepare("REM-4", request);
    completed("REM-4", request, { status: "Rejected" });
    expect((await authorize2("APP-3", "Central", "REM-4")).status).toBe("Unknown");
    await prepare("REM-4", {});
    await prepare("REM-4", null as unknown as object);
  });

  function keepPrepare(_action: string, step: Prepare): void {
    prepare = step;
  }

  function keepCompleted(_action: string, step: Completed): void {
    completed = step;
  }
});

describe("the API of tokens", () => {
  it("registers, shows, changes and forgets, and tells of it", async () => {
    const before = bench.events.length;
    const created = await bench.api("PUT", "/id-tokens/Api-Token", { note: "spare card", type: "ISO15693" });
    expect(created).toMatchObject({
      status: 201,
      body: { idToken: "Api-Token", status: "Accepted", type: "ISO15693" },
    });
    const changed = await bench.api("PUT", "/id-tokens/API-TOKEN", { status: "Blocked" });
    expect(changed).toMatchObject({ status: 200, body: { idToken: "API-TOKEN", status: "Blocked" } });
    expect(changed.body).not.toHaveProperty("note");
    await bench.restart();
    expect(await bench.api("GET", "/id-tokens/api-token")).toMatchObject({ status: 200, body: { status: "Blocked" } });
    expect((await bench.api("DELETE", "/id-tokens/api-token")).status).toBe(204);
    expect((await bench.api("DELETE", "/id-tokens/api-token")).status).toBe(404);
    expect((await bench.api("GET", "/id-tokens/api-token")).status).toBe(404);
    expect(bench.events.slice(before).map(({ type, data }) => [type, "change" in data ? data.change : ""])).toEqual([
      ["id-token.changed", "created"],
      ["id-token.changed", "updated"],
      ["id-token.changed", "deleted"],
    ]);
  });

  it("stores what is asked for last when a token is deleted and registered at once", async () => {
    const idToken = newToken();
    await put(idToken);
    const both = [bench.api("DELETE", `/id-tokens/${idToken}`), bench.api("PUT", `/id-tokens/${idToken}`, {})];
    expect((await Promise.all(both)).map(({ status }) => status)).toEqual([204, 201]);
    await bench.restart();
    expect((await bench.api("GET", `/id-tokens/${idToken}`)).status).toBe(200);
  });

  it("lists in pages and by filter", async () => {
    for (const name of ["L-c", "L-A", "L-b"]) await put(name, { groupIdToken: "LISTED", note: `Card of ${name}` });
    const names = async (query: string) => {
      const { body } = await bench.api("GET", `/id-tokens?${query}`);
      const page = body as { items: Json[]; nextCursor: string | null };
      return { names: page.items.map(({ idToken }) => idToken), next: page.nextCursor };
    };
    const first = await names("groupIdToken=listed&limit=2");
    expect(first.names).toEqual(["L-A", "L-b"]);
    expect((await names(`groupIdToken=listed&limit=2&cursor=${first.next}`)).names).toEqual(["L-c"]);
    expect((await names("search=CARD%20of%20l-B")).names).toEqual(["L-b"]);
    expect((await names("status=Expired&search=L-")).names).toEqual([]);
  });

  it("stays as it was when storing fails", async () => {
    const idToken = newToken();
    await put(idToken);
    bench.commits.failures = 1;
    expect((await bench.api("PUT", `/id-tokens/${idToken}`, { status: "Blocked" })).status).toBe(500);
    expect((await authorize1(idToken)).status).toBe("Accepted");
  });

  it("refuses what cannot be a token", async () => {
    expect((await bench.api("PUT", "/id-tokens/a%00b", {})).status).toBe(400);
    expect((await bench.api("PUT", `/id-tokens/${"x".repeat(256)}`, {})).status).toBe(400);
    expect((await bench.api("PUT", "/id-tokens/ok", { status: "Perhaps" })).status).toBe(400);
  });
});
