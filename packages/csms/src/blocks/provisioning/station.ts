import type { OcppVersion } from "@polyphase/ocpp";
import type { RegistrationStatus, SecurityProfile } from "../../gateway/known-stations.ts";

/** What a station tells of itself when it boots, in words of 2.1; family 1 tells more of its meter and less of why. */
export interface BootFacts {
  readonly vendorName: string;
  readonly model: string;
  readonly serialNumber?: string | undefined;
  readonly firmwareVersion?: string | undefined;
  readonly iccid?: string | undefined;
  readonly imsi?: string | undefined;
  /** 1.x only. */
  readonly meterType?: string | undefined;
  /** 1.x only. */
  readonly meterSerialNumber?: string | undefined;
}

/** Names of the facts, for those who handle each of them. */
export const bootFactNames = [
  "vendorName",
  "model",
  "serialNumber",
  "firmwareVersion",
  "iccid",
  "imsi",
  "meterType",
  "meterSerialNumber",
] as const satisfies readonly (keyof BootFacts)[];

/** How far the station's variables are known. */
export type InventoryStatus = "None" | "Requested" | "Complete" | "Incomplete" | "Failed" | "NotSupported";

/** What an operator decides of a station. */
export interface StationSettings {
  readonly registrationStatus: RegistrationStatus;
  readonly securityProfile: SecurityProfile;
  /** Version to speak when the station offers no subprotocol. */
  readonly configuredVersion?: OcppVersion | undefined;
  readonly site?: string | undefined;
  readonly tags: readonly string[];
  readonly notes?: string | undefined;
}

type KnownFacts = { readonly [Fact in keyof BootFacts]?: BootFacts[Fact] | undefined };

/** A charging station as the directory knows it. */
export interface Station extends StationSettings, KnownFacts {
  readonly stationId: string;
  /** Version of the last boot. */
  readonly version?: OcppVersion | undefined;
  readonly lastBootAt?: Date | undefined;
  /** BootReasonEnum of 2.1; `Unknown` where the version does not tell. */
  readonly lastBootReason?: string | undefined;
  readonly inventoryStatus: InventoryStatus;
  /** When the inventory got its status. */
  readonly inventoryAt?: Date | undefined;
  readonly createdAt: Date;
}

/** A station that nobody has described yet. */
export function newStation(stationId: string, createdAt: Date, settings: Partial<StationSettings> = {}): Station {
  return {
    stationId,
    registrationStatus: "Pending",
    securityProfile: 0,
    tags: [],
    ...settings,
    inventoryStatus: "None",
    createdAt,
  };
}
