import type pg from "pg";

/**
 * How much history there is. Sessions of two hours with a meter value a minute, spread over the stations and their two
 * EVSEs as evenly as eight-hour slots allow.
 */
export interface History {
  /** Meter values as the API counts them: each holds three sampled values and came with a TransactionEvent. */
  readonly meterValues: number;
  readonly stations: number;
  /** Messages of the log, two for each of the newest meter values. */
  readonly messages: number;
  /** Begin and end of the week. */
  readonly from: Date;
  readonly to: Date;
}

/** Meter values, and events, of one session. */
export const VALUES_EACH = 120;
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** The week before a moment. */
export function weekBefore(to: Date, meterValues: number, messages: number): History {
  // 42 sessions fit into the week of a station, at two EVSEs.
  const stations = Math.max(1, Math.ceil(meterValues / VALUES_EACH / 42));
  return { meterValues, stations, messages, from: new Date(to.getTime() - 7 * DAY_MS), to };
}

/** Identity of a station of the history, counted from 0. */
export function historyStation(index: number): string {
  return `HISTORY-${index}`;
}

function dayOf(at: Date): Date {
  return new Date(Math.floor(at.getTime() / DAY_MS) * DAY_MS);
}

function hourOf(at: Date): Date {
  return new Date(Math.floor(at.getTime() / HOUR_MS) * HOUR_MS);
}

function leastUuid(at: Date): string {
  const hex = at.getTime().toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

/** Partitions as the CSMS would have made them on each of the days. */
async function createPartitions(client: pg.Client, from: Date, to: Date): Promise<void> {
  for (let day = dayOf(from); day < to; day = new Date(day.getTime() + DAY_MS)) {
    const next = new Date(day.getTime() + DAY_MS);
    const suffix = day.toISOString().slice(0, 10).replaceAll("-", "");
    for (const [table, low, high] of [
      ["meter_value", day.toISOString(), next.toISOString()],
      ["meter_value_hour", day.toISOString(), next.toISOString()],
      ["transaction_event", leastUuid(day), leastUuid(next)],
      ["station_message", day.toISOString(), next.toISOString()],
    ]) {
      await client.query(
        `create table if not exists ${table}_p${suffix} partition of ${table} for values from ('${low}') to ('${high}')`,
      );
    }
  }
}

async function createSessions(client: pg.Client, { meterValues, stations, from, to }: History): Promise<void> {
  const slots = Math.max(1, Math.floor((to.getTime() - from.getTime()) / (8 * HOUR_MS)));
  await client.query("drop table if exists history_session");
  await client.query(
    `create unlogged table history_session as
     select n, station_id, evse_id, started_at, started_at + interval '${VALUES_EACH - 1} minutes' as ended_at,
       start_wh, power_w,
       (lpad(to_hex((extract(epoch from started_at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3)
         || '8' || substr(md5(n::text), 4, 15))::uuid as id
     from (
       select n, 'HISTORY-' || n % $1 as station_id, n / $1 % 2 + 1 as evse_id,
         date_trunc('milliseconds', $2::timestamptz + interval '8 hours' * (n / $1 / 2 % $3)
           + interval '5 hours' * ((hashtext(n::text)::float8 + 2147483648) / 4294967296)) as started_at,
         1000 + n * 37 as start_wh, 3600 + n % 100 * 180 as power_w
       from generate_series(0, $4::bigint - 1) n
     ) sessions`,
    [stations, from, slots, Math.ceil(meterValues / VALUES_EACH)],
  );
  await client.query("create index on history_session (started_at)");
  await client.query("analyze history_session");
}

const SAMPLE_VALUE = (i: string): string => `(start_wh + power_w * ${i} / 60)`;

const ms = (column: string): string => `(extract(epoch from ${column}) * 1000)::bigint`;

const SAMPLES = `('[{"measurand":"Energy.Active.Import.Register","unit":"Wh","value":' || ${SAMPLE_VALUE("i")}
  || '},{"measurand":"Power.Active.Import","unit":"W","value":' || power_w
  || '},{"measurand":"Current.Import","unit":"A","value":16.02,"phase":"L1"}]')`;

/** Values of the sessions within an hour, in the order in which they came. */
const VALUES_OF_HOUR = `
  select session.*, i, started_at + i * interval '1 minute' as at
  from history_session session cross join lateral generate_series(0, ${VALUES_EACH - 1}) i
  where started_at > $1::timestamptz - interval '${VALUES_EACH} minutes' and started_at < $2::timestamptz
    and started_at + i * interval '1 minute' >= $1::timestamptz and started_at + i * interval '1 minute' < $2::timestamptz
  order by at`;

const INSERT_VALUES = `
  insert into meter_value (station_id, sampled_at, key, evse_id, connector_id, transaction_id, samples, received_at)
  select station_id, at, id || ':' || i || ':0', evse_id, 1, id, ${SAMPLES}::jsonb, at + interval '300 milliseconds'
  from (${VALUES_OF_HOUR}) value`;

const sums = (measurand: string, unit: string, value: string, phase: string) => `
  jsonb_build_object('measurand', '${measurand}', 'unit', '${unit}', 'location', 'Outlet'${phase},
    'count', count(*), 'minimum', min(${value}), 'maximum', max(${value}), 'total', sum(${value}),
    'first', min(array[extract(epoch from at)::float8, ${value}]),
    'last', max(array[extract(epoch from at)::float8, ${value}]))`;

/** What the CSMS has stored of an hour that is over. */
const INSERT_HOUR_SUMS = `
  insert into meter_value_hour (station_id, hour, meter_values, series)
  select station_id, $1, count(*), jsonb_build_array(
    ${sums("Energy.Active.Import.Register", "Wh", SAMPLE_VALUE("i"), "")},
    ${sums("Power.Active.Import", "W", "power_w", "")},
    ${sums("Current.Import", "A", "16.02::float8", ", 'phase', 'L1'")})
  from (${VALUES_OF_HOUR}) value group by station_id order by station_id`;

const INSERT_EVENTS = `
  insert into transaction_event
    (transaction, key, seq_no, event_type, trigger_reason, occurred_at, received_at, offline, facts)
  select id, i::text, i,
    case i when 0 then 'Started' when ${VALUES_EACH - 1} then 'Ended' else 'Updated' end,
    case i when 0 then 'CablePluggedIn' when ${VALUES_EACH - 1} then 'EVCommunicationLost' else 'MeterValuePeriodic' end,
    at, at + interval '300 milliseconds', false,
    jsonb_build_object('evseId', evse_id, 'connectorId', 1, 'chargingState', 'Charging')
  from (${VALUES_OF_HOUR}) value`;

const INSERT_MESSAGES = `
  insert into station_message
    (recorded_at, station_id, version, transport, direction, kind, action, message_id, text,
     answered_at, answer_kind, answer_text)
  select at, station_id, '2.0.1', 'OCPP-J', 'received', 'CALL', 'TransactionEvent', id || ':' || i,
    '[2,"' || id || ':' || i || '","TransactionEvent",{"eventType":"Updated","timestamp":"'
      || at::text || '","triggerReason":"MeterValuePeriodic","seqNo":' || i || ',"transactionInfo":{"transactionId":"'
      || id || '","chargingState":"Charging"},"evse":{"id":' || evse_id || ',"connectorId":1},"meterValue":[{"timestamp":"'
      || at::text || '","sampledValue":' || ${SAMPLES} || '}]}]',
    at + interval '20 milliseconds', 'CALLRESULT', '[3,"' || id || ':' || i || '",{}]'
  from (${VALUES_OF_HOUR}) value`;

const reading = (i: string, context: string): string =>
  `jsonb_build_array(${ms("started_at")} + ${i} * 60000, ${SAMPLE_VALUE(i)} * 1000, '${context}')`;

const LAST = String(VALUES_EACH - 1);
const ENERGY_MILLI_WH = `(${SAMPLE_VALUE(LAST)} - start_wh) * 1000`;

const INSERT_TRANSACTIONS = `
  insert into charging_transaction (
    id, station_id, transaction_id, generation, status, evse_id, connector_id, id_token, first_at, started_at, ended_at,
    received_at, state, updated_at, last_at, imported_milliwatt_hours, progress)
  select id, station_id, id::text, 1, 'Ended', evse_id, 1, 'TOKEN-' || n % 5000, started_at, started_at, ended_at,
    started_at,
    jsonb_build_object(
      'firstAtMs', ${ms("started_at")}, 'heardAtMs', ${ms("started_at")}, 'earliest', '{}'::jsonb, 'offline', false,
      'token', jsonb_build_object('order', 0, 'value',
        jsonb_build_object('idToken', 'TOKEN-' || n % 5000, 'type', 'ISO14443', 'status', 'Accepted')),
      'started', jsonb_build_object('order', 0, 'value', jsonb_build_object(
        'atMs', ${ms("started_at")}, 'offline', false, 'seqNo', 0, 'triggerReason', 'CablePluggedIn', 'key', '0')),
      'ended', jsonb_build_object('order', ${LAST}, 'value', jsonb_build_object(
        'atMs', ${ms("ended_at")}, 'offline', false, 'seqNo', ${LAST}, 'triggerReason', 'EVCommunicationLost',
        'stoppedReason', 'EVDisconnected', 'key', '${LAST}'))),
    ended_at, ended_at, ${ENERGY_MILLI_WH},
    jsonb_build_object(
      'lastAtMs', ${ms("ended_at")},
      'imported', jsonb_build_object(
        'milliWh', ${ENERGY_MILLI_WH}, 'method', 'register', 'confidence', 'high', 'notes', '[]'::jsonb),
      'latest', jsonb_build_object(
        'evseId', jsonb_build_object('order', ${LAST}, 'value', evse_id),
        'connectorId', jsonb_build_object('order', ${LAST}, 'value', 1),
        'chargingState', jsonb_build_object('order', ${LAST}, 'value', 'Charging')),
      'tally', jsonb_build_object('incomplete', false, 'series', jsonb_build_array(jsonb_build_object(
        'flow', 'import', 'kind', 'register', 'location', 'Outlet', 'first', ${reading("0", "Sample.Periodic")},
        'second', ${reading("1", "Sample.Periodic")}, 'last', ${reading(LAST, "Sample.Periodic")},
        'sumBeforeLast', 0))),
      'shown', jsonb_build_object('Power.Active.Import', jsonb_build_array(${ms("ended_at")}, power_w)),
      'meteredFromMs', ${ms("started_at")}, 'meteredToMs', ${ms("ended_at")})::text
  from history_session order by started_at`;

const INSERT_DOMAIN_EVENTS = `
  insert into event (type, station_id, "timestamp", stored_at, data)
  select 'transaction.' || what, station_id, at, at, jsonb_build_object('id', id, 'transactionId', id, 'evseId', evse_id)
  from (
    select 'started' as what, started_at as at, * from history_session
    union all select 'ended', ended_at, * from history_session
  ) news order by at`;

async function createStations(client: pg.Client, { stations, from }: History): Promise<void> {
  await client.query(
    `insert into station (station_id, registration_status, security_profile, site, tags, version, vendor_name, model,
       serial_number, firmware_version, last_boot_at, last_boot_reason, inventory_status, created_at)
     select 'HISTORY-' || n, 'Accepted', 1, 'SITE-' || n / 20, '[]', '2.0.1', 'Vendor ' || n % 7, 'Model ' || n % 11,
       'SN' || n, '1.' || n % 4, $2::timestamptz, 'PowerUp', 'Complete', $2::timestamptz
     from generate_series(0, $1::int - 1) n on conflict do nothing`,
    [stations, from],
  );
  await client.query(
    `insert into id_token (key, id_token, type, status, created_at, updated_at)
     select lower('TOKEN-' || n), 'TOKEN-' || n, 'ISO14443', 'Accepted', $1::timestamptz, $1::timestamptz
     from generate_series(0, 4999) n on conflict do nothing`,
    [from],
  );
}

async function eachHour(from: Date, to: Date, work: (from: Date, to: Date) => Promise<unknown>): Promise<void> {
  for (let at = from.getTime(); at < to.getTime(); at += HOUR_MS) {
    await work(new Date(at), new Date(Math.min(at + HOUR_MS, to.getTime())));
  }
}

/**
 * Writes the history into the tables of a CSMS that has migrated them and does not run. Rows lie on the disk in the
 * order in which they would have come.
 */
export async function loadHistory(open: () => Promise<pg.Client>, history: History): Promise<void> {
  const clients = [await open(), await open()] as const;
  const [client, other] = clients;
  try {
    // What a crash would cost is loaded again; nothing else of the database is changed.
    for (const each of clients) await each.query("set synchronous_commit = off; set work_mem = '128MB'");
    await createPartitions(client, new Date(history.from.getTime() - EXPIRED_DAYS * DAY_MS), history.to);
    await createStations(client, history);
    await createSessions(client, history);
    const share = Math.min(1, history.messages / 2 / history.meterValues);
    const loggedFrom = new Date(history.to.getTime() - share * (history.to.getTime() - history.from.getTime()));
    await Promise.all([
      (async () => {
        await eachHour(history.from, history.to, (from, to) => client.query(INSERT_VALUES, [from, to]));
        await eachHour(hourOf(history.from), hourOf(history.to), (from, to) =>
          client.query(INSERT_HOUR_SUMS, [from, to]),
        );
      })(),
      (async () => {
        await other.query(INSERT_TRANSACTIONS);
        await other.query(INSERT_DOMAIN_EVENTS);
        await eachHour(history.from, history.to, (from, to) => other.query(INSERT_EVENTS, [from, to]));
        await eachHour(loggedFrom, history.to, (from, to) => other.query(INSERT_MESSAGES, [from, to]));
      })(),
    ]);
    await client.query("vacuum analyze");
    await client.query("checkpoint");
  } finally {
    await Promise.all(clients.map((each) => each.end()));
  }
}

/** Days before the week that can be loaded, each to be dropped by itself. */
export const EXPIRED_DAYS = 3;

/**
 * Writes one more day of meter values, which lies so many days before the week, and leaves it as PostgreSQL leaves a
 * day that was stored long ago: vacuumed.
 */
export async function loadExpiredDay(
  open: () => Promise<pg.Client>,
  history: History,
  daysBefore: number,
): Promise<number> {
  const client = await open();
  try {
    const from = new Date(dayOf(history.from).getTime() - daysBefore * DAY_MS);
    const to = new Date(from.getTime() + DAY_MS);
    const meterValues = Math.ceil(history.meterValues / 7);
    await createSessions(client, { ...history, meterValues, from, to: new Date(to.getTime() - 2 * HOUR_MS) });
    await client.query("set synchronous_commit = off");
    let rows = 0;
    await eachHour(from, to, async (begin, end) => {
      rows += (await client.query(INSERT_VALUES, [begin, end])).rowCount ?? 0;
    });
    await client.query("drop table history_session");
    await client.query("vacuum analyze meter_value");
    await client.query("checkpoint");
    return rows;
  } finally {
    await client.end();
  }
}
