import { acSupply, dcSupply, type SiteKind, type StationVersion, type Supply } from "@polyphase/station";

/** A station of the demo. */
export interface DemoStation {
  readonly id: string;
  readonly version: StationVersion;
  readonly evses: readonly Supply[];
}

/** A place with stations where drivers of one kind come. */
export interface DemoSite {
  readonly name: string;
  readonly kind: SiteKind;
  /** Multiplies the usual arrivals, so that there is something to watch. */
  readonly busyness: number;
  readonly stations: readonly DemoStation[];
}

/** Every version stands at both sites. */
export const demoSites: readonly DemoSite[] = [
  {
    name: "Harbour Offices",
    kind: "workplace",
    busyness: 1.5,
    stations: [
      { id: "HARBOUR-1", version: "1.2", evses: [acSupply] },
      { id: "HARBOUR-2", version: "1.5", evses: [acSupply, acSupply] },
      { id: "HARBOUR-3", version: "1.6S", evses: [acSupply, acSupply] },
      { id: "HARBOUR-4", version: "1.6", evses: [acSupply, acSupply] },
      { id: "HARBOUR-5", version: "2.0.1", evses: [acSupply, acSupply] },
      { id: "HARBOUR-6", version: "2.1", evses: [acSupply, acSupply] },
    ],
  },
  {
    name: "Ring Road",
    kind: "roadside",
    busyness: 2,
    stations: [
      { id: "RING-1", version: "1.2", evses: [acSupply] },
      { id: "RING-2", version: "1.5", evses: [acSupply] },
      { id: "RING-3", version: "1.6S", evses: [dcSupply] },
      { id: "RING-4", version: "1.6", evses: [dcSupply, acSupply] },
      { id: "RING-5", version: "2.0.1", evses: [dcSupply, dcSupply] },
      { id: "RING-6", version: "2.1", evses: [dcSupply, dcSupply] },
    ],
  },
];

/** Tokens of the drivers. The last one is blocked, as one finds in every fleet. */
export const demoTokens: readonly { readonly idToken: string; readonly status: "Accepted" | "Blocked" }[] = [
  { idToken: "04A1B2C3D4E501", status: "Accepted" },
  { idToken: "04A1B2C3D4E502", status: "Accepted" },
  { idToken: "04A1B2C3D4E503", status: "Accepted" },
  { idToken: "04A1B2C3D4E504", status: "Accepted" },
  { idToken: "04A1B2C3D4E505", status: "Accepted" },
  { idToken: "04A1B2C3D4E506", status: "Accepted" },
  { idToken: "04A1B2C3D4E507", status: "Accepted" },
  { idToken: "04A1B2C3D4E508", status: "Accepted" },
  { idToken: "04A1B2C3D4E509", status: "Accepted" },
  { idToken: "04A1B2C3D4E50A", status: "Accepted" },
  { idToken: "04A1B2C3D4E50B", status: "Accepted" },
  { idToken: "04A1B2C3D4E5FF", status: "Blocked" },
];
