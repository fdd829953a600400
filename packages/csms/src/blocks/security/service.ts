import type { GroupCommit } from "../../database/write-unit.ts";
import { insertSecurityEvent } from "./store.ts";

/** A security event as a station reports it (A04). */
export interface ReportedSecurityEvent {
  readonly stationId: string;
  readonly type: string;
  readonly occurredAt: Date;
  readonly techInfo?: string | undefined;
  readonly receivedAt: Date;
}

/** Stations whose last event is remembered; the oldest are forgotten first. */
const maxRemembered = 10_000;

/** Takes the security events of stations. */
export class SecurityEvents {
  readonly #groupCommit: GroupCommit;
  readonly #lastOf = new Map<string, string>();

  constructor(groupCommit: GroupCommit) {
    this.#groupCommit = groupCommit;
  }

  /** Stores and publishes an event. One that is repeated, because its answer was lost, is published once. */
  async report(event: ReportedSecurityEvent): Promise<void> {
    const { stationId, receivedAt } = event;
    const type = storable(event.type);
    const techInfo = event.techInfo === undefined ? undefined : storable(event.techInfo);
    // RFC 3339 allows a leap second, which Date does not know.
    const occurredAt = Number.isNaN(event.occurredAt.getTime()) ? receivedAt : event.occurredAt;
    const unit = this.#groupCommit.unit().add(insertSecurityEvent, {
      station_id: stationId,
      type,
      occurred_at: occurredAt,
      tech_info: techInfo ?? "",
      received_at: receivedAt,
    });
    const key = JSON.stringify([type, occurredAt, techInfo]);
    if (this.#lastOf.get(stationId) !== key) {
      const data = { type, ...(techInfo === undefined ? {} : { techInfo }) };
      unit.publish({ type: "security.event", stationId, timestamp: occurredAt, data });
    }
    await unit.commit();
    this.#lastOf.delete(stationId);
    this.#lastOf.set(stationId, key);
    if (this.#lastOf.size > maxRemembered) {
      const oldest = this.#lastOf.keys().next();
      if (!oldest.done) this.#lastOf.delete(oldest.value);
    }
  }
}

/** Longest text that is stored: the schemas allow 255, and a key of the table has its limit. */
const maxTextLength = 500;

/** PostgreSQL has no NUL in texts. */
function storable(text: string): string {
  return text.replaceAll("\0", "\uFFFD").slice(0, maxTextLength);
}
