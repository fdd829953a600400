import { catalogue, definitionsOf, type JsonSchema, type OcppVersion } from "@polyphase/ocpp";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { Bench } from "./counterpart-csms.testing.ts";
import type { StationVersion } from "./simulated-station-options.ts";

let bench: Bench;

afterEach(async () => {
  await bench.stop();
});

/** Values that a schema allows, with those that mean something to a station among them. */
function instanceOf(version: OcppVersion, schema: JsonSchema, depth = 0): fc.Arbitrary<unknown> {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split("/").at(-1) ?? "";
    return instanceOf(version, definitionsOf(version)[name] ?? {}, depth);
  }
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case "object":
      return objectOf(version, schema, depth);
    case "array": {
      const minLength = schema.minItems ?? 0;
      const maxLength = Math.max(minLength, Math.min(schema.maxItems ?? 3, 3));
      return fc.array(instanceOf(version, schema.items ?? {}, depth + 1), { minLength, maxLength });
    }
    case "string":
      return stringOf(schema);
    case "integer":
      return fc
        .oneof(fc.constantFrom(0, 1, 2, 5), fc.integer())
        .map((value) => Math.min(Math.max(value, schema.minimum ?? -2147483648), schema.maximum ?? 2147483647));
    case "number":
      return fc
        .integer({ min: -100_000, max: 100_000 })
        .map((value) => Math.min(Math.max(value / 10, schema.minimum ?? -1e9), schema.maximum ?? 1e9));
    case "boolean":
      return fc.boolean();
    default:
      return fc.constant("anything");
  }
}

function objectOf(version: OcppVersion, schema: JsonSchema, depth: number): fc.Arbitrary<unknown> {
  const required = new Set(schema.required ?? []);
  const properties = Object.entries(schema.properties ?? {}).filter(
    ([name]) => required.has(name) || (name !== "customData" && depth < 4),
  );
  const record = Object.fromEntries(
    properties.map(([name, property]) => [name, instanceOf(version, property, depth + 1)]),
  );
  return fc.record(record, { requiredKeys: [...required].filter((name) => name in record) });
}

function stringOf(schema: JsonSchema): fc.Arbitrary<string> {
  if (schema.format === "date-time") {
    return fc.integer({ min: -1_000_000, max: 1_000_000 }).map((s) => new Date(1893974400000 + s * 1000).toISOString());
  }
  if (schema.format === "uri") return fc.constant("ftp://127.0.0.1/file");
  const words = ["TAG1", "", "TxCtrlr", "TxStartPoint", "EVConnected", "HeartbeatInterval", "0", "true", "-5"];
  return fc
    .oneof(fc.constantFrom(...words), fc.string({ maxLength: Math.min(schema.maxLength ?? 40, 40) }))
    .filter((text) => text.length >= (schema.minLength ?? 0) && text.length <= (schema.maxLength ?? 1000));
}

function callsOf(version: OcppVersion): fc.Arbitrary<{ action: string; payload: unknown }> {
  const entries = [...catalogue(version).values()].filter((entry) => entry.from !== "ChargingStation");
  return fc.oneof(
    ...entries.map((entry) =>
      instanceOf(version, entry.requestSchema)
        .filter((payload) => entry.validateRequest(payload) === undefined)
        .map((payload) => ({ action: entry.action, payload })),
    ),
  );
}

const versions: readonly StationVersion[] = ["1.2", "1.5", "1.6", "2.0.1", "2.1"];

describe.each(versions)("a station of OCPP %s", (name) => {
  it("answers whatever a CSMS may ask, in any order, and still charges afterwards", async () => {
    bench = new Bench(name, { evses: 2, rebootDurationMs: 0 });
    await bench.start();
    const version = bench.station.version;
    bench.station.plugIn(1);
    await bench.station.presentIdToken(1, "TAG1");
    const calls = fc.sample(callsOf(version), { numRuns: 400, seed: 20300107 });
    const answered = new Set<string>();
    for (const { action, payload } of calls) {
      // A reset or a new password cuts the connection; it comes back by itself.
      if (!bench.station.isOnline || bench.station.registrationStatus !== "Accepted") await back();
      try {
        await bench.csms.call(action, payload);
        answered.add(action);
      } catch (error) {
        const { name: kind, code } = error as { name: string; code?: string };
        // InternalError would mean that an answer was wrong or that something threw.
        expect([kind, code, action, JSON.stringify(payload)]).toEqual([
          kind === "NotConnectedError" || kind === "ConnectionEndedError" ? kind : "PeerError",
          code === undefined
            ? undefined
            : expect.stringMatching(/^(NotSupported|OccurrenceConstraintViolation|GenericError)$/),
          action,
          JSON.stringify(payload),
        ]);
      }
      await bench.clock.advance(100);
    }
    expect(answered.size).toBeGreaterThan(version === "1.2" ? 8 : 12);
    await back();
    await bench.station.stop();
    const station = bench.makeStation();
    await station.start();
    station.plugIn(2);
    expect(await station.presentIdToken(2, "TAG9")).toBe("Authorized");
  });
});

/** Lets a station that restarts come back. */
async function back(): Promise<void> {
  for (let turn = 0; turn < 500; turn++) {
    if (bench.station.isOnline && bench.station.registrationStatus === "Accepted") return;
    await bench.clock.advance(1_000);
    await new Promise((resolve) => {
      setTimeout(resolve, 2);
    });
  }
  throw new Error("the station did not come back");
}
