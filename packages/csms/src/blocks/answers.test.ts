import { catalogue, definitionsOf, type JsonSchema, type OcppVersion } from "@polyphase/ocpp";
import { ManualClock } from "@polyphase/testing";
import { describe, expect, test } from "vitest";
import { RecordedWrites } from "../gateway/fixture.ts";
import { createCertificates } from "./certificates/index.ts";
import { createDataTransfer } from "./data-transfer/index.ts";
import { createDiagnostics } from "./diagnostics/index.ts";
import { createFirmware } from "./firmware/index.ts";
import { TestGateway } from "./fixture.ts";
import { createReservation } from "./reservation/index.ts";
import { createSmartCharging } from "./smart-charging/index.ts";
import { createUnmanagedReports } from "./unmanaged/index.ts";

const clock = new ManualClock("2026-03-01T12:00:00Z");
const gateway = new TestGateway(clock, new RecordedWrites());
const provisioning = { storeValues: async () => undefined, noteStationTime: () => undefined };
for (const block of [
  createCertificates({ clock }),
  createDataTransfer({ groupCommit: new RecordedWrites() }),
  createDiagnostics({ provisioning }),
  createFirmware(),
  createReservation(),
  createSmartCharging(),
  createUnmanagedReports(),
]) {
  block.registerRoutes(gateway.routes);
}

/** Blocks that keep what these tell have tests of their own. */
const keptElsewhere = new Set([
  "Authorize",
  "BootNotification",
  "Heartbeat",
  "MeterValues",
  "NotifyReport",
  "SecurityEventNotification",
  "StartTransaction",
  "StatusNotification",
  "StopTransaction",
  "TransactionEvent",
]);

/** The smallest value that a schema allows. */
function smallest(version: OcppVersion, schema: JsonSchema): unknown {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split("/").at(-1) ?? "";
    const definition = definitionsOf(version)[name];
    if (definition === undefined) throw new Error(`there is no definition ${name}`);
    return smallest(version, definition);
  }
  if (schema.enum !== undefined) return schema.enum[0];
  switch (schema.type) {
    case "object": {
      const required = schema.required ?? [];
      return Object.fromEntries(
        required.map((name) => [name, smallest(version, schema.properties?.[name] ?? {})] as const),
      );
    }
    case "array":
      return Array.from({ length: schema.minItems ?? 0 }, () => smallest(version, schema.items ?? {}));
    case "integer":
    case "number":
      return schema.minimum ?? 0;
    case "boolean":
      return false;
    default:
      return schema.format === "date-time" ? "2026-03-01T12:00:00Z" : "x";
  }
}

function requestOf(version: OcppVersion, action: string): object {
  const entry = catalogue(version).get(action);
  if (entry === undefined) throw new Error(`${version} has no ${action}`);
  return smallest(version, entry.requestSchema) as object;
}

for (const version of ["1.6", "2.0.1", "2.1"] as const) {
  describe(`a station of ${version}`, () => {
    for (const [action, entry] of catalogue(version)) {
      if (entry.from === "CSMS" || keptElsewhere.has(action)) continue;
      test(`gets a legal answer to ${action}`, async () => {
        const answer = await gateway.receive(version, "CS1", action, requestOf(version, action));
        expect(answer === undefined).toBe(entry.kind === "SEND");
      });
    }
  });
}

describe("without a certificate authority", () => {
  test("A02: a request to sign is rejected", async () => {
    expect(await gateway.receive("1.6", "CS1", "SignCertificate", { csr: "PEM" })).toEqual({ status: "Rejected" });
    expect(await gateway.receive("2.1", "CS1", "SignCertificate", { csr: "PEM" })).toEqual({ status: "Rejected" });
  });

  test("M06.FR.04: the status of a certificate is Failed", async () => {
    const request = requestOf("2.0.1", "GetCertificateStatus");
    expect(await gateway.receive("2.0.1", "CS1", "GetCertificateStatus", request)).toEqual({ status: "Failed" });
  });

  test("M07.FR.08: every certificate of a chain has its answer", async () => {
    const certificateHashData = {
      hashAlgorithm: "SHA256",
      issuerNameHash: "a",
      issuerKeyHash: "b",
      serialNumber: "1",
    };
    const certificateStatusRequests = ["OCSP", "CRL"].map((source) => ({
      certificateHashData,
      source,
      urls: ["https://example.com"],
    }));
    expect(await gateway.receive("2.1", "CS1", "GetCertificateChainStatus", { certificateStatusRequests })).toEqual({
      certificateStatus: ["OCSP", "CRL"].map((source) => ({
        certificateHashData,
        source,
        status: "Failed",
        nextUpdate: "2026-03-01T13:00:00.000Z",
      })),
    });
  });
});

describe("without smart charging", () => {
  const needs = (chargingNeeds: object) =>
    gateway.receive("2.1", "CS1", "NotifyEVChargingNeeds", { evseId: 1, chargingNeeds });

  test("K15.FR.04: needs of ISO 15118-2 are Rejected", async () => {
    expect(await needs({ requestedEnergyTransfer: "AC_three_phase" })).toEqual({ status: "Rejected" });
  });

  test("K18.FR.04: needs of ISO 15118-20 get NoChargingProfile", async () => {
    const request = { requestedEnergyTransfer: "AC_three_phase", controlMode: "ScheduledControl" };
    expect(await needs(request)).toEqual({ status: "NoChargingProfile" });
  });

  test("K28.FR.12: there is no dynamic profile to update", async () => {
    expect(await gateway.receive("2.1", "CS1", "PullDynamicScheduleUpdate", { chargingProfileId: 1 })).toEqual({
      status: "Rejected",
      statusInfo: { reasonCode: "InvalidProfile" },
    });
  });
});

test("N11.FR.05: a periodic event stream is rejected, so that its values come as events", async () => {
  const request = requestOf("2.1", "OpenPeriodicEventStream");
  expect(await gateway.receive("2.1", "CS1", "OpenPeriodicEventStream", request)).toEqual({ status: "Rejected" });
});

test("C18.FR.10: a VAT number is answered with the EVSE of the request", async () => {
  expect(await gateway.receive("2.1", "CS1", "VatNumberValidation", { vatNumber: "NL1", evseId: 2 })).toEqual({
    status: "Rejected",
    vatNumber: "NL1",
    evseId: 2,
  });
});
