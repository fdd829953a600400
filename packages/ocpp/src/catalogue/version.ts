/** The OCPP versions of this library, oldest first. "1.6" holds the security whitepaper's messages too. */
export const ocppVersions = ["1.2", "1.5", "1.6", "2.0.1", "2.1"] as const;

/** An OCPP version as its specification numbers it. */
export type OcppVersion = (typeof ocppVersions)[number];

/** Whether the version is of the second family, which speaks of EVSEs and variables. */
export function isFamily2(version: OcppVersion): version is "2.0.1" | "2.1" {
  return version === "2.0.1" || version === "2.1";
}

/** Who speaks: the ChargingStation (1.x: Charge Point) or the CSMS (1.x: Central System). */
export type Role = "ChargingStation" | "CSMS";
