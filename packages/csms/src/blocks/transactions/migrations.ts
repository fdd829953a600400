import { type Kysely, type Migration, sql } from "kysely";
import { leastUuidV7, spanAt } from "../../database/partitions.ts";

/** Columns of `transaction_event` as 0030 made them and 0031 makes them again: a later change is a later migration. */
const EVENT_COLUMNS = sql`
  transaction uuid not null,
  key text not null,
  seq_no bigint,
  event_type text not null,
  trigger_reason text not null,
  occurred_at timestamptz not null,
  received_at timestamptz not null,
  offline boolean not null,
  facts jsonb not null,
  primary key (transaction, key)
`;

/**
 * Partitions the events by the time in their transaction's id. What is stored stays where it is and becomes the first
 * partition, because copying the events of years would keep the operator waiting.
 */
async function partitionEvents(db: Kysely<unknown>): Promise<void> {
  await sql`alter table transaction_event rename to transaction_event_before`.execute(db);
  await sql`
    alter table transaction_event_before rename constraint transaction_event_pkey to transaction_event_before_pkey`.execute(
    db,
  );
  await sql`
    create table transaction_event (${EVENT_COLUMNS}) partition by range (transaction)`.execute(db);
  await sql`comment on column transaction_event.transaction is 'UUID of version 7: its time decides the partition'`.execute(
    db,
  );
  await sql`create table transaction_event_default partition of transaction_event default`.execute(db);
  const { rows } = await sql<{ found: boolean; now: Date }>`
    select exists (select from transaction_event_before) as found, now() as now`.execute(db);
  const [{ found, now } = { found: false, now: new Date() }] = rows;
  if (!found) {
    await sql`drop table transaction_event_before`.execute(db);
    return;
  }
  const bound = sql.lit(leastUuidV7(spanAt("day", now, 1).from));
  await sql`
    with ahead as (delete from transaction_event_before where transaction >= ${bound}::uuid returning *)
    insert into transaction_event_default select * from ahead`.execute(db);
  await sql`
    alter table transaction_event attach partition transaction_event_before
    for values from (minvalue) to (${bound})`.execute(db);
}

/** Tables of transactions: one row each, their events, and the counter of ids for family 1. */
export const migrations: Record<string, Migration> = {
  "0030-transactions": {
    async up(db: Kysely<unknown>): Promise<void> {
      await sql`
        create table charging_transaction (
          id uuid primary key,
          station_id text not null,
          transaction_id text not null,
          generation integer not null,
          origin_key text,
          status text not null,
          evse_id bigint,
          connector_id bigint,
          id_token text,
          remote_start_id bigint,
          first_at timestamptz not null,
          started_at timestamptz,
          ended_at timestamptz,
          received_at timestamptz not null,
          state jsonb not null,
          updated_at timestamptz not null,
          last_at timestamptz not null,
          imported_milliwatt_hours bigint,
          exported_milliwatt_hours bigint,
          energy jsonb not null,
          progress jsonb not null,
          unique (station_id, transaction_id, generation)
        ) with (fillfactor = 60)`.execute(db);
      await sql`
        comment on table charging_transaction is
          'Columns after "state" change with every meter value: no index holds them, so that the update stays in place'
        `.execute(db);
      await sql`
        create unique index charging_transaction_origin on charging_transaction (station_id, origin_key)
        where origin_key is not null`.execute(db);
      await sql`create index charging_transaction_first on charging_transaction (first_at desc, id desc)`.execute(db);
      await sql`
        create index charging_transaction_station on charging_transaction (station_id, first_at desc, id desc)`.execute(
        db,
      );
      await sql`
        create index charging_transaction_token on charging_transaction (lower(id_token), first_at desc)`.execute(db);
      await sql`create index charging_transaction_open on charging_transaction (id) where status = 'Open'`.execute(db);
      await sql`
        create table transaction_event (${EVENT_COLUMNS})`.execute(db);
      await sql`create sequence transaction_number as bigint minvalue 1 maxvalue 4294967 cycle`.execute(db);
      await sql`comment on sequence transaction_number is 'blocks of 500 ids for stations of family 1'`.execute(db);
    },
  },
  "0031-transaction-event-partitions": { up: partitionEvents },
  "0032-transaction-progress": {
    async up(db: Kysely<unknown>): Promise<void> {
      await sql`
        alter table charging_transaction
          alter column progress type text using (progress || energy)::text,
          drop column energy`.execute(db);
      await sql`comment on column charging_transaction.progress is 'JSON'`.execute(db);
    },
  },
  "0033-transaction-lists": {
    async up(db: Kysely<unknown>): Promise<void> {
      await sql`
        comment on table charging_transaction is
          'updated_at, last_at and progress change with every meter value: no index holds them, so that the update stays in place'
        `.execute(db);
      await sql`comment on column charging_transaction.imported_milliwatt_hours is
        'as it was when the state last changed: right once the transaction is over'`.execute(db);
      // Sums over many transactions are read from the index alone.
      await sql`
        create index charging_transaction_totals on charging_transaction (first_at desc, id desc)
        include (station_id, status, imported_milliwatt_hours, exported_milliwatt_hours)`.execute(db);
      await sql`drop index charging_transaction_first`.execute(db);
      await sql`
        create index charging_transaction_status on charging_transaction (status, first_at desc, id desc)`.execute(db);
      await sql`drop index charging_transaction_open`.execute(db);
      await sql`
        create index charging_transaction_named on charging_transaction (transaction_id, first_at desc, id desc)`.execute(
        db,
      );
      await sql`
        create index charging_transaction_evse on charging_transaction (evse_id, first_at desc, id desc)`.execute(db);
      await sql`
        create index charging_transaction_remote_start on charging_transaction (remote_start_id, first_at desc, id desc)
        where remote_start_id is not null`.execute(db);
    },
  },
};
