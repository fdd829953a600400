/** What a station says of itself in BootNotification. */
export interface StationIdentity {
  readonly vendorName: string;
  readonly model: string;
  /** At most 25 characters. */
  readonly serialNumber: string;
  readonly firmwareVersion: string;
  readonly meterType: string;
}

/** The identity of a simulated station; the serial number is taken from its id. */
export function simulatedIdentity(id: string, supplyKind: "AC" | "DC"): StationIdentity {
  return {
    vendorName: "Polyphase",
    model: supplyKind === "AC" ? "Simulated AC" : "Simulated DC",
    serialNumber: id.slice(-25),
    firmwareVersion: "1.0.0",
    meterType: "Simulated meter",
  };
}
