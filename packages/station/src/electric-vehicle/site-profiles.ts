/** What kind of place a station stands at; it decides when drivers come and how long they stay. */
export type SiteKind = "workplace" | "street" | "roadside";

/** What is normal at a kind of place. */
export interface SiteProfile {
  /** Arrivals per EVSE and hour for each hour of a weekday. */
  readonly weekday: readonly number[];
  /** The same on Saturday and Sunday. */
  readonly weekend: readonly number[];
  readonly stayMeanS: number;
  readonly stayDeviationS: number;
  /** State of charge on arrival. */
  readonly socMeanPercent: number;
}

/** Own estimates: what operators of such sites would call a normal week. */
// biome-ignore format: a line for the hours before noon, a line for those after
export const siteProfiles: Readonly<Record<SiteKind, SiteProfile>> = {
  workplace: {
    weekday: [
      0.01, 0.01, 0.01, 0.01, 0.02, 0.06, 0.22, 0.46, 0.42, 0.22, 0.12, 0.1,
      0.16, 0.2, 0.1, 0.06, 0.04, 0.03, 0.02, 0.02, 0.01, 0.01, 0.01, 0.01,
    ],
    weekend: [
      0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.02, 0.03, 0.05, 0.06, 0.06, 0.06,
      0.05, 0.05, 0.04, 0.03, 0.03, 0.02, 0.02, 0.01, 0.01, 0.01, 0.01, 0.01,
    ],
    stayMeanS: 6.5 * 3600,
    stayDeviationS: 2.2 * 3600,
    socMeanPercent: 48,
  },
  street: {
    weekday: [
      0.02, 0.01, 0.01, 0.01, 0.01, 0.02, 0.04, 0.08, 0.09, 0.09, 0.09, 0.1,
      0.11, 0.1, 0.1, 0.13, 0.2, 0.3, 0.34, 0.28, 0.2, 0.13, 0.08, 0.04,
    ],
    weekend: [
      0.03, 0.02, 0.01, 0.01, 0.01, 0.01, 0.02, 0.04, 0.08, 0.12, 0.15, 0.16,
      0.16, 0.16, 0.15, 0.15, 0.17, 0.2, 0.2, 0.18, 0.14, 0.1, 0.07, 0.05,
    ],
    stayMeanS: 7 * 3600,
    stayDeviationS: 4 * 3600,
    socMeanPercent: 42,
  },
  roadside: {
    weekday: [
      0.06, 0.04, 0.04, 0.04, 0.08, 0.2, 0.4, 0.55, 0.6, 0.65, 0.7, 0.75,
      0.8, 0.75, 0.75, 0.8, 0.95, 1, 0.9, 0.65, 0.45, 0.3, 0.2, 0.1,
    ],
    weekend: [
      0.08, 0.06, 0.04, 0.04, 0.05, 0.08, 0.15, 0.3, 0.5, 0.75, 0.95, 1,
      1, 0.95, 0.95, 1, 1, 0.95, 0.8, 0.6, 0.45, 0.3, 0.2, 0.12,
    ],
    stayMeanS: 28 * 60,
    stayDeviationS: 11 * 60,
    socMeanPercent: 26,
  },
};
