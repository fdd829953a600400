import { type Kysely, type SqlBool, sql } from "kysely";

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

/** Reads a page of a station's messages. */
export async function readMessages(
  database: Kysely<unknown>,
  filter: MessageFilter,
): Promise<readonly LoggedMessage[]> {
  const { stationId, direction, kind, action, messageId, from, to, beforeId, limit } = filter;
  const conditions = [sql<SqlBool>`station_id = ${stationId}`];
  if (direction !== undefined) conditions.push(sql`direction = ${direction}`);
  if (kind !== undefined) conditions.push(sql`kind = ${kind}`);
  if (action !== undefined) conditions.push(sql`action = ${action}`);
  if (messageId !== undefined) conditions.push(sql`message_id = ${messageId}`);
  if (from !== undefined) conditions.push(sql`recorded_at >= ${from}::timestamptz`);
  if (to !== undefined) conditions.push(sql`recorded_at < ${to}::timestamptz`);
  if (beforeId !== undefined) conditions.push(sql`id < ${beforeId}`);
  const { rows } = await sql<Omit<LoggedMessage, "recordedAt"> & { readonly recordedAt: Date }>`
    select id, recorded_at as "recordedAt", version, transport, direction, kind, action,
      message_id as "messageId", error_code as "errorCode", text
    from station_message where ${sql.join(conditions, sql` and `)}
    order by id desc limit ${limit}`.execute(database);
  return rows.map((row) => ({ ...row, recordedAt: row.recordedAt.toISOString() }));
}
