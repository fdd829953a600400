import type { Ocpp16 } from "@polyphase/ocpp";
import type { ProvisioningBench } from "./fixture.ts";

/** What is known of the station CS1 by the HTTP API. */
export async function stationOf(bench: ProvisioningBench) {
  return (await bench.server.inject("/api/v1/stations/CS1")).json();
}

/** How far the variables of the station CS1 are known. */
export async function inventoryOf(bench: ProvisioningBench): Promise<string> {
  return (await stationOf(bench)).inventory.status;
}

/** The variables of the station CS1. */
export async function variablesOf(bench: ProvisioningBench, query = ""): Promise<Record<string, unknown>[]> {
  return (await bench.server.inject(`/api/v1/stations/CS1/variables?limit=500${query}`)).json().items;
}

/** Lets the station CS1 boot, and the moment come at which it is asked for its variables. */
export async function bootAndFetch(bench: ProvisioningBench, version: "1.6" | "2.1"): Promise<void> {
  const boot16 = { chargePointVendor: "Acme", chargePointModel: "One" };
  const boot21 = { reason: "PowerUp", chargingStation: { vendorName: "Acme", model: "Two" } };
  await bench.gateway.receive(version, "CS1", "BootNotification", version === "2.1" ? boot21 : boot16);
  bench.clock.advance(2_000);
  bench.timers.elapse();
}

/** Configuration keys of a station of 1.6: one is secret, one has no value. */
export const keys: Ocpp16.KeyValue[] = [
  { key: "HeartbeatInterval", readonly: false, value: "300" },
  { key: "numberOfConnectors", readonly: true, value: "2" },
  { key: "AuthorizationKey", readonly: false, value: "0011223344556677" },
  { key: "VendorSwitch", readonly: false },
];
