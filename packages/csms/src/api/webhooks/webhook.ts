/** A subscription to events that are posted to an address. */
export interface Webhook {
  readonly id: string;
  readonly url: string;
  readonly description: string;
  /** Kinds of events; empty for all. */
  readonly types: readonly string[];
  /** Only events of this station. */
  readonly stationId?: string | undefined;
  readonly enabled: boolean;
  /** Why it was disabled by the system. */
  readonly disabledReason?: string | undefined;
  readonly createdAt: Date;
  readonly createdBy: string;
  /** `whsec_` and base64. Stored as it is, because signing needs it. */
  readonly secret: string;
  /** Id of the last event that was delivered or does not fit: delivery goes on after it. */
  readonly cursor: number;
  readonly failure?: WebhookFailure | undefined;
}

/** Where a subscription is in its attempts to deliver one event. */
export interface WebhookFailure {
  /** Failed attempts for the present event. */
  readonly attempts: number;
  /** When the first of them failed. */
  readonly since: Date;
  readonly nextAttemptAt: Date;
}

/** What an administrator may change. */
export type WebhookChange = Partial<Pick<Webhook, "url" | "description" | "types" | "enabled" | "secret">> & {
  /** Null for events of every station. */
  readonly stationId?: string | null;
};

/** One attempt to deliver an event. */
export interface DeliveryAttempt {
  readonly eventId: number;
  /** 1 for the first. */
  readonly attempt: number;
  readonly at: Date;
  readonly durationMs: number;
  /** HTTP status, absent when there was no answer. */
  readonly status?: number | undefined;
  /** Why it failed; absent after success. */
  readonly error?: string | undefined;
}
