import { randomUUID } from "node:crypto";
import type { OcppVersion, SoapVersion } from "@polyphase/ocpp";
import type { ChargingStation } from "./charging-station.ts";
import type { ChargingStationOptions } from "./charging-station-options.ts";
import { type Clock, ScaledClock } from "./clock.ts";
import type { Driver } from "./driver.ts";
import { simulatedIdentity } from "./identity.ts";
import { Family1Driver, family1Settings } from "./ocpp1/family1-driver.ts";
import { Family2Driver, family2Settings } from "./ocpp2/family2-driver.ts";
import { seededRandom } from "./random.ts";
import {
  type SimulatedStationOptions,
  securityProfileOf,
  storageOf,
  suppliesOf,
  transportOf,
} from "./simulated-station-options.ts";
import { JsonLink } from "./transport/json-link.ts";
import type { Link, LinkListener, LinkOptions } from "./transport/link.ts";
import { SoapLink } from "./transport/soap-link.ts";

/** The version on the wire: 1.6S is a name of 1.6. */
export function wireVersionOf({ version }: SimulatedStationOptions): OcppVersion {
  return version === "1.6S" ? "1.6" : version;
}

/** What the engine is told of a simulated station. */
export function engineOptions(
  options: SimulatedStationOptions,
  version: OcppVersion,
  clock: Clock,
): ChargingStationOptions {
  const defaults = version === "2.0.1" || version === "2.1" ? family2Settings() : family1Settings(version);
  // Simulated time that is real time can follow the CSMS's clock; any other would leap.
  const isRealTime = options.clock === undefined && clock instanceof ScaledClock && clock.scale === 1;
  return {
    clock,
    random: seededRandom(`${options.seed ?? options.id}/${options.id}`),
    storage: storageOf(options),
    supplies: suppliesOf(options.evses),
    settings: { ...defaults, ...options.settings },
    synchronizeClock: options.synchronizeClock ?? isRealTime,
    rebootDurationMs: options.rebootDurationMs ?? 1_000,
    ledgerSize: options.ledgerSize ?? 10_000,
    createTransactionId: randomUUID,
    callTimeoutMs: options.callTimeoutMs,
  };
}

/** The driver that speaks the version's family. */
export function makeDriver(engine: ChargingStation, options: SimulatedStationOptions, version: OcppVersion): Driver {
  const kind = suppliesOf(options.evses)[0]?.kind ?? "AC";
  const identity = { ...simulatedIdentity(options.id, kind), ...options.identity };
  if (version !== "2.0.1" && version !== "2.1") return new Family1Driver(engine, version, identity);
  return new Family2Driver(engine, version, identity, {
    stationId: options.id,
    securityProfile: securityProfileOf(options),
  });
}

/** The way to the CSMS that the address asks for. */
export function makeLink(
  engine: ChargingStation,
  options: SimulatedStationOptions,
  version: OcppVersion,
  listener: LinkListener,
): Link {
  const random = engine.random.fork("transport");
  const { password, tls, listen, publicUrl } = options;
  const link: LinkOptions = {
    url: options.csmsUrl,
    identity: options.id,
    version,
    backOff: options.backOff ?? engine.backOff,
    pingIntervalMs: engine.settings.webSocketPingIntervalS * 1000,
    random: () => random.next(),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
    ...(listen === undefined ? {} : { listen }),
    ...(publicUrl === undefined ? {} : { publicUrl }),
  };
  if (transportOf(options) === "OCPP-J") return new JsonLink(link, listener);
  return new SoapLink({ ...link, version: version as SoapVersion }, listener);
}
