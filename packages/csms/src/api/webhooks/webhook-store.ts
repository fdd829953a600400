import { type Kysely, sql } from "kysely";
import type { DeliveryAttempt, Webhook } from "./webhook.ts";

/** Attempts that are kept for each webhook. */
const KEPT_ATTEMPTS = 1_000;

interface WebhookRow {
  readonly id: string;
  readonly url: string;
  readonly description: string;
  readonly types: string[];
  readonly station_id: string | null;
  readonly enabled: boolean;
  readonly disabled_reason: string | null;
  readonly secret: string;
  readonly created_at: Date;
  readonly created_by: string;
  readonly cursor: string | number;
  readonly failed_attempts: number;
  readonly failing_since: Date | null;
  readonly next_attempt_at: Date | null;
}

interface AttemptRow {
  readonly id: string | number;
  readonly event_id: string | number;
  readonly attempt: number;
  readonly at: Date;
  readonly duration_ms: number;
  readonly status: number | null;
  readonly error: string | null;
}

/** A stored attempt; `id` grows. */
export interface StoredAttempt extends DeliveryAttempt {
  readonly id: number;
}

/** The tables of webhooks. */
export class WebhookStore {
  readonly #database: Kysely<unknown>;

  constructor(database: Kysely<unknown>) {
    this.#database = database;
  }

  /** All webhooks, oldest first. */
  async all(): Promise<Webhook[]> {
    const { rows } = await sql<WebhookRow>`select * from webhook order by created_at, id`.execute(this.#database);
    return rows.map(toWebhook);
  }

  /** Stores a webhook as it is now, new or not. */
  async save(webhook: Webhook): Promise<void> {
    const { failure } = webhook;
    await sql`
      insert into webhook (id, url, description, types, station_id, enabled, disabled_reason, secret, created_at,
        created_by, cursor, failed_attempts, failing_since, next_attempt_at)
      values (${webhook.id}, ${webhook.url}, ${webhook.description}, ${[...webhook.types]}::text[],
        ${webhook.stationId ?? null}, ${webhook.enabled}, ${webhook.disabledReason ?? null}, ${webhook.secret},
        ${webhook.createdAt}, ${webhook.createdBy}, ${webhook.cursor}, ${failure?.attempts ?? 0},
        ${failure?.since ?? null}, ${failure?.nextAttemptAt ?? null})
      on conflict (id) do update set url = excluded.url, description = excluded.description, types = excluded.types,
        station_id = excluded.station_id, enabled = excluded.enabled, disabled_reason = excluded.disabled_reason,
        secret = excluded.secret, cursor = excluded.cursor, failed_attempts = excluded.failed_attempts,
        failing_since = excluded.failing_since, next_attempt_at = excluded.next_attempt_at`.execute(this.#database);
  }

  /** Deletes a webhook with its attempts. */
  async delete(id: string): Promise<void> {
    await sql`delete from webhook where id = ${id}`.execute(this.#database);
  }

  /** Stores how far a webhook has come, together with the attempts that brought it there. */
  async saveProgress(webhook: Webhook, attempts: readonly DeliveryAttempt[]): Promise<void> {
    const { failure } = webhook;
    await this.#database.transaction().execute(async (transaction) => {
      const { numAffectedRows } = await sql`
        update webhook set cursor = ${webhook.cursor}, enabled = ${webhook.enabled},
          disabled_reason = ${webhook.disabledReason ?? null}, failed_attempts = ${failure?.attempts ?? 0},
          failing_since = ${failure?.since ?? null}, next_attempt_at = ${failure?.nextAttemptAt ?? null}
        where id = ${webhook.id}`.execute(transaction);
      if (numAffectedRows === 0n || attempts.length === 0) return;
      await sql`
        insert into webhook_attempt (webhook_id, event_id, attempt, at, duration_ms, status, error)
        select ${webhook.id}::uuid, fresh.* from unnest(
          ${attempts.map(({ eventId }) => eventId)}::bigint[], ${attempts.map(({ attempt }) => attempt)}::integer[],
          ${attempts.map(({ at }) => at)}::timestamptz[], ${attempts.map(({ durationMs }) => durationMs)}::integer[],
          ${attempts.map(({ status }) => status ?? null)}::integer[], ${attempts.map(({ error }) => error ?? null)}::text[]
        ) as fresh`.execute(transaction);
      await sql`
        delete from webhook_attempt where webhook_id = ${webhook.id} and id < (
          select min(id) from (
            select id from webhook_attempt where webhook_id = ${webhook.id} order by id desc limit ${sql.lit(KEPT_ATTEMPTS)}
          ) as kept
        )`.execute(transaction);
    });
  }

  /** Attempts of a webhook, newest first. */
  async attempts(webhookId: string, before: number | undefined, limit: number): Promise<StoredAttempt[]> {
    const { rows } = await sql<AttemptRow>`
      select id, event_id, attempt, at, duration_ms, status, error from webhook_attempt
      where webhook_id = ${webhookId} and ${before === undefined ? sql`true` : sql`id < ${before}`}
      order by id desc limit ${limit}`.execute(this.#database);
    return rows.map((row) => ({
      id: Number(row.id),
      eventId: Number(row.event_id),
      attempt: row.attempt,
      at: row.at,
      durationMs: row.duration_ms,
      status: row.status ?? undefined,
      error: row.error ?? undefined,
    }));
  }
}

function toWebhook(row: WebhookRow): Webhook {
  const { failing_since: since, next_attempt_at: nextAttemptAt } = row;
  return {
    id: row.id,
    url: row.url,
    description: row.description,
    types: row.types,
    stationId: row.station_id ?? undefined,
    enabled: row.enabled,
    disabledReason: row.disabled_reason ?? undefined,
    secret: row.secret,
    createdAt: row.created_at,
    createdBy: row.created_by,
    cursor: Number(row.cursor),
    failure:
      since === null || nextAttemptAt === null ? undefined : { attempts: row.failed_attempts, since, nextAttemptAt },
  };
}
