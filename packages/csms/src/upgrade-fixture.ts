import { FIRST_HASH, hashOf } from "./api/audit/audit-record.ts";

/** What the API is asked for, below `/api/v1`, and the least that it must answer. */
export interface Expectation {
  readonly path: string;
  readonly answer: unknown;
}

/** A schema version: a migration in the order in which versions were released, and what such a version stored. */
export interface SchemaVersion {
  readonly migration: string;
  /** Statements that put data in place as a program of this version did; what is stored must survive all later ones. */
  readonly data: readonly string[];
  readonly expected: readonly Expectation[];
}

const AT = "2026-11-01T12:00:00.000Z";
const KEY_TOKEN_HASH = "e1a4c5e5f1f0ec8cf2a0d6f1a5e0b1b2c3d4e5f60718293a4b5c6d7e8f901234";

function audited(): string {
  const record = {
    ...{ at: new Date(AT), actor: "old", role: "administrator", action: "approveStation", target: "/stations/OLD" },
    ...{ keyId: undefined, status: 200, requestId: "r1", remoteAddress: "127.0.0.1", detail: "{}", sequence: 1 },
    previousHash: FIRST_HASH,
  };
  return `insert into audit_record values (1, '${AT}', 'old', null, 'administrator', 'approveStation',
    '/stations/OLD', 200, 'r1', '127.0.0.1', '{}', '\\x${FIRST_HASH.toString("hex")}',
    '\\x${hashOf(record).toString("hex")}')`;
}

const ms = Date.parse(AT);

/** Identity of a transaction, made at {@link AT}. */
function transactionId(name: string): string {
  const hex = ms.toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${Buffer.from(name.padEnd(6, "0").slice(0, 6)).toString("hex")}`;
}

const state = JSON.stringify({
  firstAtMs: ms,
  heardAtMs: ms,
  earliest: {},
  offline: false,
  started: { order: 0, value: { atMs: ms, offline: false, seqNo: 0, triggerReason: "CablePluggedIn", key: "0" } },
});
const imported = { milliWh: 5_000_000, method: "register", confidence: "high", notes: [] };
const progress = {
  lastAtMs: ms + 60_000,
  latest: { evseId: { order: 0, value: 1 }, connectorId: { order: 0, value: 1 } },
  tally: {
    incomplete: false,
    series: [
      {
        ...{ flow: "import", kind: "register", location: "Outlet", sumBeforeLast: 1_000_000 },
        first: [ms, 1_000_000, "Sample.Periodic"],
        second: [ms + 60_000, 6_000_000, "Sample.Periodic"],
        last: [ms + 60_000, 6_000_000, "Sample.Periodic"],
      },
    ],
  },
  shown: {},
  meteredFromMs: ms,
  meteredToMs: ms + 60_000,
};

/** A running transaction with two events, 5 kWh so far; `columns` and `values` are those that differ by version. */
function transaction(name: string, stationId: string, columns: string, values: string): readonly string[] {
  const id = transactionId(name);
  return [
    `insert into charging_transaction (id, station_id, transaction_id, generation, status, evse_id, connector_id, first_at,
       started_at, received_at, state, updated_at, last_at, imported_milliwatt_hours, ${columns})
     values ('${id}', '${stationId}', '${name}', 1, 'Open', 1, 1, '${AT}', '${AT}', '${AT}', '${state}', '${AT}', '${AT}',
       5000000, ${values})`,
    `insert into transaction_event (transaction, key, seq_no, event_type, trigger_reason, occurred_at, received_at,
       offline, facts)
     values ('${id}', '0', 0, 'Started', 'CablePluggedIn', '${AT}', '${AT}', false, '{"evseId": 1}'),
       ('${id}', '1', 1, 'Updated', 'MeterValuePeriodic', '${AT}', '${AT}', false, '{}')`,
  ];
}

function transactionExpected(name: string, stationId: string): readonly Expectation[] {
  const shown = { transactionId: name, stationId, status: "Open", energyWh: 5_000 };
  return [
    { path: `/transactions?transactionId=${name}`, answer: { items: [shown] } },
    {
      path: `/transactions/${transactionId(name)}`,
      answer: { ...shown, events: [{ seqNo: 0 }, { seqNo: 1 }], missingSeqNos: [] },
    },
    {
      path: `/transactions/summary?stationId=${stationId}&from=2026-10-31T00:00:00Z&to=2026-11-02T00:00:00Z`,
      answer: { items: [{ transactions: 1, running: 1, energyWh: 5_000 }] },
    },
  ];
}

/** A running transaction of every layout, by the station that it runs on. */
export const runningTransactions = [
  { migration: "0030-transactions", stationId: "OLD-30", name: "T30" },
  { migration: "0031-transaction-event-partitions", stationId: "OLD-31", name: "T31" },
  { migration: "0032-transaction-progress", stationId: "OLD-32", name: "T32" },
] as const;

const withEnergy = ["energy, progress", `'${JSON.stringify({ imported })}', '${JSON.stringify(progress)}'`] as const;

const meterValue = (at: string, value: number): string => `
  insert into meter_value (station_id, sampled_at, key, evse_id, connector_id, samples, received_at)
  values ('OLD', '${at}', '1:0', 1, 1,
    '[{"measurand": "Energy.Active.Import.Register", "unit": "Wh", "value": ${value}}]', '${AT}')`;

const nothing = { data: [], expected: [] } as const;

/**
 * All schema versions, the oldest first. A new migration is added at the end, with data as its version stores it; when
 * it changes no table that has data here it may have none.
 */
export const schemaVersions: readonly SchemaVersion[] = [
  {
    migration: "0001-events",
    data: [
      `insert into event (type, station_id, "timestamp", data)
       values ('station.registered', 'OLD', '${AT}', '{"registrationStatus": "Accepted"}')`,
    ],
    expected: [
      {
        path: "/events?stationId=OLD&limit=5",
        answer: { items: [{ id: 1, type: "station.registered", timestamp: AT }] },
      },
    ],
  },
  {
    migration: "0002-api-keys",
    data: [
      `insert into api_key (id, name, role, token_hash, created_at, created_by)
       values ('00000000-0000-4000-8000-000000000001', 'old key', 'viewer', '\\x${KEY_TOKEN_HASH}', '${AT}', 'old')`,
    ],
    expected: [{ path: "/api-keys", answer: { items: [{ name: "old key", role: "viewer" }] } }],
  },
  {
    migration: "0002-audit",
    data: [audited()],
    expected: [
      { path: "/audit?actor=old", answer: { items: [{ sequence: 1, target: "/stations/OLD" }] } },
      { path: "/audit/verification", answer: { isIntact: true } },
    ],
  },
  {
    migration: "0002-webhooks",
    data: [
      `insert into webhook (id, url, description, types, enabled, secret, created_at, created_by, cursor)
       values ('00000000-0000-4000-8000-000000000002', 'http://127.0.0.1:9/hook', 'old hook', '{}', false,
         'whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=', '${AT}', 'old', 0)`,
    ],
    expected: [{ path: "/webhooks", answer: { items: [{ url: "http://127.0.0.1:9/hook", description: "old hook" }] } }],
  },
  {
    migration: "0003-gateway",
    data: [
      `insert into station_presence values ('OLD', true, '1.6', 'OCPP-J', '127.0.0.1', null, '${AT}', '${AT}')`,
      "create table station_message_default partition of station_message default",
      `insert into station_message (recorded_at, station_id, version, transport, direction, kind, action, message_id, text)
       values (now(), 'OLD', '1.6', 'OCPP-J', 'received', 'CALL', 'Heartbeat', 'm1', '[2,"m1","Heartbeat",{}]')`,
      "insert into station_tolerance values ('OLD', 'time-without-zone', false)",
    ],
    expected: [
      { path: "/stations/OLD", answer: { lastSeenAt: AT } },
      { path: "/stations/OLD/messages?messageId=m1", answer: { items: [{ text: '[2,"m1","Heartbeat",{}]' }] } },
    ],
  },
  {
    migration: "0005-security",
    data: [
      `insert into station_credentials (station_id, password_hash, changed_at) values ('OLD', 'argon2', '${AT}')`,
      `insert into security_event values ('OLD', 'FirmwareUpdated', '${AT}', 'to 2', '${AT}')`,
    ],
    expected: [
      { path: "/security-events?stationId=OLD", answer: { items: [{ type: "FirmwareUpdated", techInfo: "to 2" }] } },
    ],
  },
  {
    migration: "0010-provisioning-stations",
    data: [
      `insert into station (station_id, registration_status, security_profile, site, tags, inventory_status, created_at)
       values ('OLD', 'Accepted', 1, 'Quay', '["north"]', 'None', '${AT}')`,
    ],
    expected: [
      {
        path: "/stations/OLD",
        answer: { registrationStatus: "Accepted", securityProfile: 1, site: "Quay", tags: ["north"] },
      },
    ],
  },
  {
    migration: "0011-provisioning-variables",
    data: [
      `insert into variable (station_id, component, component_instance, evse_id, connector_id, variable,
         variable_instance, attribute, value, reported_at)
       values ('OLD', 'OCPPCommCtrlr', '', 0, 0, 'HeartbeatInterval', '', 'Actual', '77', '${AT}')`,
    ],
    expected: [
      { path: "/stations/OLD/variables", answer: { items: [{ variable: "HeartbeatInterval", value: "77" }] } },
    ],
  },
  {
    migration: "0020-authorization",
    data: [
      `insert into id_token (key, id_token, type, status, created_at, updated_at)
       values ('oldtoken', 'OldToken', 'ISO14443', 'Blocked', '${AT}', '${AT}')`,
    ],
    expected: [{ path: "/id-tokens/OLDTOKEN", answer: { idToken: "OldToken", status: "Blocked" } }],
  },
  {
    migration: "0030-transactions",
    data: transaction("T30", "OLD-30", ...withEnergy),
    expected: transactionExpected("T30", "OLD-30"),
  },
  {
    migration: "0040-meter-values",
    data: [meterValue(AT, 1_000), meterValue("1970-01-01T00:00:00Z", 9_000)],
    expected: [
      {
        path: "/meter-values?stationId=OLD",
        answer: { items: [{ sampledValue: [{ value: 9_000 }] }, { timestamp: AT, sampledValue: [{ value: 1_000 }] }] },
      },
    ],
  },
  {
    migration: "0050-availability-connectors",
    data: [
      `insert into connector (station_id, evse_id, connector_id, status, since, received_at, changes)
       values ('OLD', 1, 1, 'Occupied', '${AT}', '${AT}', 1)`,
    ],
    expected: [
      {
        path: "/stations/OLD/evses",
        answer: { evses: [{ evseId: 1, connectors: [{ status: "Occupied", since: AT }] }] },
      },
    ],
  },
  {
    migration: "0031-transaction-event-partitions",
    data: transaction("T31", "OLD-31", ...withEnergy),
    expected: transactionExpected("T31", "OLD-31"),
  },
  {
    migration: "0032-transaction-progress",
    data: transaction("T32", "OLD-32", "progress", `'${JSON.stringify({ ...progress, imported })}'`),
    expected: transactionExpected("T32", "OLD-32"),
  },
  {
    migration: "0004-message-log-answers",
    data: [
      `insert into station_message (recorded_at, station_id, version, transport, direction, kind, action, message_id,
         text, answered_at, answer_kind, answer_text)
       values (now(), 'OLD', '1.6', 'OCPP-J', 'received', 'CALL', 'Heartbeat', 'm2', '[2,"m2","Heartbeat",{}]', now(),
         'CALLRESULT', '[3,"m2",{}]')`,
    ],
    expected: [
      {
        path: "/stations/OLD/messages?messageId=m2",
        answer: { items: [{ text: '[3,"m2",{}]' }, { text: '[2,"m2","Heartbeat",{}]' }] },
      },
    ],
  },
  {
    migration: "0060-gateway-deviations",
    data: [
      `insert into station_deviation (station_id, deviation, occurrences, first_at, last_at, batch)
       values ('OLD', 'time-without-zone', 3, '${AT}', '${AT}', 'b')`,
    ],
    expected: [{ path: "/stations/OLD/deviations", answer: { items: [{ occurrences: 3, firstAt: AT }] } }],
  },
  { migration: "0033-transaction-lists", ...nothing },
  { migration: "0006-event-types", ...nothing },
  {
    migration: "0041-meter-value-hours",
    data: [
      `insert into meter_value_hour (station_id, hour, meter_values, series)
       values ('OLD', '${AT}', 1, '[{"measurand": "Energy.Active.Import.Register", "unit": "Wh", "location": "Outlet",
         "count": 1, "minimum": 1000, "maximum": 1000, "total": 1000, "first": [${ms / 1_000}, 1000],
         "last": [${ms / 1_000}, 1000]}]')`,
    ],
    expected: [
      {
        path: `/meter-values/summary?stationId=OLD&bucketS=3600&from=${AT}`,
        answer: { items: [{ from: AT, count: 1, minimum: 1_000, mean: 1_000, last: 1_000, lastAt: AT }] },
      },
    ],
  },
];
