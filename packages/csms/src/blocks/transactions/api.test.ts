import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { at } from "./event-fixture.ts";
import { type Json, TransactionBench } from "./fixture.ts";

let bench: TransactionBench;

beforeAll(async () => {
  bench = await TransactionBench.start();
});

afterAll(async () => {
  await bench.stop();
});

describe("the list of transactions", () => {
  it("is paged and filtered", async () => {
    const stationId = bench.newStation();
    for (let index = 0; index < 5; index++) {
      await bench.call1(stationId, "StartTransaction", {
        ...{ connectorId: 1 + (index % 2), idTag: `PAGE-${index}`, timestamp: at(index), meterStart: 0 },
      });
    }
    await bench.transactions.settled();
    const seen: unknown[] = [];
    let cursor: unknown = null;
    do {
      const more = cursor === null ? "" : `&cursor=${String(cursor)}`;
      const { body } = await bench.api("GET", `/transactions?stationId=${stationId}&limit=2${more}`);
      const page = body as { items: { idToken: { idToken: string } }[]; nextCursor: string | null };
      seen.push(...page.items.map((item) => item.idToken.idToken));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual(["PAGE-4", "PAGE-3", "PAGE-2", "PAGE-1", "PAGE-0"]);
    const count = async (filter: string) => {
      const { body } = await bench.api("GET", `/transactions?stationId=${stationId}&${filter}`);
      return (body as { items: Json[] }).items.length;
    };
    expect(await count("idToken=page-3")).toBe(1);
    expect(await count("status=Open")).toBe(2);
    expect(await count("evseId=2")).toBe(2);
    expect(await count(`from=${at(2)}&to=${at(3)}`)).toBe(2);
    expect((await bench.api("GET", "/transactions/nonsense")).status).toBe(404);
    expect((await bench.api("GET", "/transactions/00000000-0000-7000-8000-000000000000/events")).status).toBe(404);
  });
});
