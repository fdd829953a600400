import type { EndpointObserver, OcppVersion } from "@polyphase/ocpp";
import type { Kysely } from "kysely";
import type { Logger } from "pino";
import type { Counter } from "prom-client";
import type { Metrics } from "../../api/metrics.ts";
import type { Clock } from "../../clock.ts";
import type { GroupCommit } from "../../database/write-unit.ts";
import type { KnownStations } from "../known-stations.ts";
import { namedDeviations } from "./catalogue.ts";
import type { Conduct, StationDeviations, SwitchableConduct } from "./conduct.ts";
import { DeviationRecord } from "./deviation-record.ts";
import { type Rejection, rejectionOfIgnored, rejectionOfRefused, rejectionOfViolation } from "./rejections.ts";
import { StationTolerances } from "./station-tolerances.ts";
import { ToleranceSettings } from "./tolerance-settings.ts";

/** What {@link DeviationWatch} works with. */
export interface DeviationWatchOptions {
  readonly database: Kysely<unknown>;
  readonly groupCommit: GroupCommit;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** The directory, for vendors and models. */
  readonly stations: Pick<KnownStations, "find">;
  /** Milliseconds between writes of what was counted; a second when absent. */
  readonly intervalMs?: number;
}

/** How a deviation was met: by which rule, in which message. */
export interface MetDeviation {
  readonly stationId: string;
  /** Undefined where no version was agreed upon, or where the message is not at hand. */
  readonly version?: OcppVersion | undefined;
  readonly action?: string;
  readonly evidence?: unknown;
}

/** The parts of an observer that tell of deviations. */
type DeviationObserver = Required<Pick<EndpointObserver, "tolerated" | "violated" | "ignored" | "refused">>;

/**
 * Everything about chargers that break the rules: which deviations are tolerated of whom, and who showed which.
 * Whatever is counted appears in the metrics, in the record of the station, and once in a while in the log.
 */
export class DeviationWatch implements StationDeviations {
  readonly rules: StationTolerances;
  readonly settings: ToleranceSettings;
  readonly record: DeviationRecord;
  readonly #log: Logger;
  readonly #stations: Pick<KnownStations, "find">;
  readonly #tolerated: Counter<"rule" | "version">;
  readonly #rejected: Counter<"rejection" | "version">;
  #versionOf: (stationId: string) => OcppVersion | undefined = () => undefined;

  constructor({ database, groupCommit, clock, log, metrics, stations, intervalMs = 1_000 }: DeviationWatchOptions) {
    this.#log = log;
    this.#stations = stations;
    this.rules = new StationTolerances({ clock, station: (stationId) => stations.find(stationId) });
    this.settings = new ToleranceSettings(database, this.rules);
    this.record = new DeviationRecord({ groupCommit, clock, log, intervalMs });
    this.#tolerated = metrics.counter({
      name: "polyphase_station_tolerated_total",
      help: "Deviations from the specification that a rule let pass",
      labelNames: ["rule", "version"],
    });
    this.#rejected = metrics.counter({
      name: "polyphase_station_rejected_total",
      help: "Deviations from the specification that were refused or ignored",
      labelNames: ["rejection", "version"],
    });
  }

  /** Lets what blocks tell be counted under the version that a station speaks. */
  followVersions(versionOf: (stationId: string) => OcppVersion | undefined): void {
    this.#versionOf = versionOf;
  }

  tolerates(stationId: string, deviation: SwitchableConduct): boolean {
    return this.rules.isTolerated(stationId, deviation);
  }

  showed(stationId: string, deviation: Conduct | Rejection, evidence?: unknown): void {
    const version = this.#versionOf(stationId);
    if (namedDeviations.get(deviation)?.kind === "rejection") {
      this.rejected(deviation as Rejection, { stationId, version, evidence });
    } else this.tolerated(deviation, { stationId, version, evidence });
  }

  /** A rule let something pass. A frame may have needed several, whose names are joined by a plus sign. */
  tolerated(rules: string, met: MetDeviation): void {
    for (const rule of rules.split("+")) {
      this.#tolerated.inc({ rule, version: met.version ?? "" });
      this.#count(rule, met, "deviation tolerated");
    }
  }

  /** Something was refused or ignored. */
  rejected(rejection: Rejection, met: MetDeviation): void {
    this.#rejected.inc({ rejection, version: met.version ?? "" });
    this.#count(rejection, met, "deviation rejected");
  }

  /** Tells what the endpoints observe. */
  observer(): DeviationObserver {
    return {
      tolerated: ({ identity: stationId, version, action, rule, evidence }) =>
        this.tolerated(rule, { stationId, version, action, evidence }),
      violated: ({ identity: stationId, version, action, direction, violation, payload: evidence }) =>
        this.rejected(rejectionOfViolation(violation, direction), { stationId, version, action, evidence }),
      ignored: ({ identity: stationId, cause, evidence }) => {
        const rejection = rejectionOfIgnored(cause);
        const version = this.#versionOf(stationId);
        if (rejection !== undefined) this.rejected(rejection, { stationId, version, evidence });
      },
      refused: ({ identity: stationId, version, action, cause, evidence }) =>
        this.rejected(rejectionOfRefused(cause), { stationId, version, action, evidence }),
    };
  }

  #count(deviation: string, { stationId, version, action = "", evidence }: MetDeviation, text: string): void {
    // Whoever is not known has no record, and may be anybody.
    if (this.#stations.find(stationId) === undefined) return;
    const isNews = this.record.count({ stationId, deviation, version: version ?? "", action, evidence });
    this.#log[isNews ? "info" : "debug"]({ stationId, version, action, deviation }, text);
  }
}
