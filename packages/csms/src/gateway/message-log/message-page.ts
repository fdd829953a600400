import { type Kysely, type SqlBool, sql } from "kysely";
import { LONGEST_EXCHANGE_MS } from "./exchanges.ts";

/** A logged message as the API shows it. */
export interface LoggedMessage {
  readonly id: number;
  readonly recordedAt: string;
  readonly version: string;
  readonly transport: string;
  readonly direction: string;
  readonly kind: string;
  readonly action: string;
  readonly messageId: string;
  readonly errorCode: string | null;
  readonly text: string;
}

/** Which messages of a station are wanted; the newest come first. */
export interface MessageFilter {
  readonly stationId: string;
  readonly direction?: string | undefined;
  readonly kind?: string | undefined;
  readonly action?: string | undefined;
  readonly messageId?: string | undefined;
  /** ISO time; from then on. */
  readonly from?: string | undefined;
  /** ISO time; before then. */
  readonly to?: string | undefined;
  /** Only messages with a smaller id. */
  readonly beforeId?: number | undefined;
  readonly limit: number;
}

/**
 * Reads a page of a station's messages. A row of the log holds a message and maybe its answer: the ids of both are
 * made of the row's, so that an answer is listed with what it answers.
 */
export async function readMessages(
  database: Kysely<unknown>,
  filter: MessageFilter,
): Promise<readonly LoggedMessage[]> {
  const { stationId, direction, kind, action, messageId, from, to, beforeId, limit } = filter;
  const ofRow = [sql<SqlBool>`station_id = ${stationId}`];
  const ofMessage = [sql<SqlBool>`message.text is not null`];
  if (action !== undefined) ofRow.push(sql`action = ${action}`);
  if (messageId !== undefined) ofRow.push(sql`message_id = ${messageId}`);
  if (beforeId !== undefined) {
    ofRow.push(sql`id <= ${Math.floor((beforeId - 1) / 2)}`);
    ofMessage.push(sql`message.id < ${beforeId}`);
  }
  if (direction !== undefined) {
    ofRow.push(sql`(direction = ${direction} or answer_kind is not null)`);
    ofMessage.push(sql`message.direction = ${direction}`);
  }
  if (kind !== undefined) {
    ofRow.push(sql`(kind = ${kind} or answer_kind = ${kind})`);
    ofMessage.push(sql`message.kind = ${kind}`);
  }
  if (from !== undefined) {
    ofRow.push(sql`recorded_at >= ${from}::timestamptz - make_interval(secs => ${LONGEST_EXCHANGE_MS / 1000})`);
    ofRow.push(sql`(recorded_at >= ${from}::timestamptz or answered_at >= ${from}::timestamptz)`);
    ofMessage.push(sql`message.recorded_at >= ${from}::timestamptz`);
  }
  if (to !== undefined) {
    ofRow.push(sql`recorded_at < ${to}::timestamptz`);
    ofMessage.push(sql`message.recorded_at < ${to}::timestamptz`);
  }
  const and = sql` and `;
  const { rows } = await sql<Omit<LoggedMessage, "recordedAt"> & { readonly recordedAt: Date }>`
    select message.id, message.recorded_at as "recordedAt", version, transport, message.direction, message.kind,
      action, message_id as "messageId", message.error_code as "errorCode", message.text
    from (
      select * from station_message where ${sql.join(ofRow, and)} order by id desc limit ${limit + 1}
    ) exchange
    cross join lateral (values
      (exchange.id * 2, exchange.recorded_at, exchange.direction, exchange.kind, exchange.error_code, exchange.text),
      (exchange.id * 2 + 1, answered_at, case exchange.direction when 'sent' then 'received' else 'sent' end,
        answer_kind, answer_error_code, answer_text)
    ) message (id, recorded_at, direction, kind, error_code, text)
    where ${sql.join(ofMessage, and)}
    order by message.id desc limit ${limit}`.execute(database);
  return rows.map((row) => ({ ...row, recordedAt: row.recordedAt.toISOString() }));
}
