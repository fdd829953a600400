import type { LogLevel } from "./log.ts";
import {
  bearerToken,
  choice,
  databaseUrl,
  days,
  directory,
  host,
  integer,
  name,
  networks,
  origins,
  paths,
  port,
  type SettingKind,
  webUrl,
} from "./setting-kinds.ts";

/** One setting: where it comes from, what it means, and what it may be. */
export interface Setting<T> {
  readonly variable: string;
  /** Text that stands for an absent value; undefined when there is none. */
  readonly preset: string | undefined;
  readonly kind: SettingKind<T>;
  readonly meaning: string;
}

function preset<T>(variable: string, text: string, kind: SettingKind<T>, meaning: string): Setting<T> {
  return { variable, preset: text, kind, meaning };
}

function optional<T>(variable: string, kind: SettingKind<T>, meaning: string): Setting<T | undefined> {
  return { variable, preset: undefined, kind, meaning };
}

/** Every setting by its name in the configuration, in the order in which documentation lists them. */
export const settings = {
  host: preset(
    "POLYPHASE_HOST",
    "127.0.0.1",
    host,
    "Address that all listeners bind to; 0.0.0.0 or :: for every interface",
  ),
  ocppPort: preset(
    "POLYPHASE_OCPP_PORT",
    "9000",
    port,
    "Port for stations without TLS: ws://HOST:PORT/ocpp/{stationId}, http://HOST:PORT/ocpp/soap",
  ),
  ocppTlsPort: preset(
    "POLYPHASE_OCPP_TLS_PORT",
    "9443",
    port,
    "Port for stations with TLS; open when certificates are configured",
  ),
  httpPort: preset("POLYPHASE_HTTP_PORT", "8080", port, "Port of the API, its documentation, health and metrics"),
  dataDir: preset(
    "POLYPHASE_DATA_DIR",
    "./data",
    directory,
    "Directory of the embedded database and other files; created when missing",
  ),
  databaseUrl: optional("DATABASE_URL", databaseUrl, "PostgreSQL 15 or later to use instead of the embedded one"),
  databasePoolSize: preset(
    "POLYPHASE_DATABASE_POOL_SIZE",
    "10",
    integer(1, 200),
    "Most database connections for reads and administration; writes have their own",
  ),
  diskReserveMiB: preset(
    "POLYPHASE_DISK_RESERVE",
    "256",
    integer(0, 1_048_576),
    "MiB to keep free on the disk of the embedded database; with less, nothing is stored; 0 for no reserve",
  ),
  unknownStations: preset(
    "POLYPHASE_UNKNOWN_STATIONS",
    "pending",
    choice("reject", "pending", "accept"),
    "Stations that are not registered: refused (reject), connected and listed for approval (pending), or registered at once (accept)",
  ),
  stationOrigins: optional(
    "POLYPHASE_STATION_ORIGINS",
    origins,
    "Web pages that may connect as stations, such as a simulator in a browser; none when absent",
  ),
  adminToken: optional(
    "POLYPHASE_ADMIN_TOKEN",
    bearerToken,
    "Bearer token of an administrator; without it the first start prints a link that creates the first one",
  ),
  tlsCertificates: optional(
    "POLYPHASE_TLS_CERT",
    paths,
    "PEM files with the certificate chain for stations; several when both RSA and ECDSA are offered",
  ),
  tlsKeys: optional("POLYPHASE_TLS_KEY", paths, "PEM files with the private keys, in the order of the certificates"),
  tlsClientAuthorities: optional(
    "POLYPHASE_TLS_CA",
    paths,
    "PEM files with the authorities of station certificates, for security profile 3",
  ),
  operatorName: optional(
    "POLYPHASE_OPERATOR_NAME",
    name(64),
    "Organization (O) that station certificates must name; any when absent",
  ),
  soapPublicUrl: optional("POLYPHASE_SOAP_PUBLIC_URL", webUrl, "Address of the SOAP endpoint as stations reach it"),
  heartbeatIntervalS: preset(
    "POLYPHASE_HEARTBEAT_INTERVAL",
    "300",
    integer(1, 86_400),
    "Seconds between heartbeats that accepted stations are told to keep",
  ),
  callTimeoutS: preset("POLYPHASE_CALL_TIMEOUT", "30", integer(1, 600), "Seconds that a station has to answer a call"),
  pingIntervalS: preset(
    "POLYPHASE_PING_INTERVAL",
    "30",
    integer(0, 3_600),
    "Seconds between pings of a silent WebSocket; 0 pings no station, and no lost connection is noticed",
  ),
  pongTimeoutS: preset(
    "POLYPHASE_PONG_TIMEOUT",
    "15",
    integer(1, 600),
    "Seconds that a station has to answer a ping, or to say anything else, before its connection is given up",
  ),
  meterRetentionDays: preset("POLYPHASE_METER_RETENTION_DAYS", "400", days, "How long meter values are kept"),
  transactionRetentionDays: preset(
    "POLYPHASE_TRANSACTION_RETENTION_DAYS",
    "forever",
    days,
    "How long transactions and their energy are kept after they began; those that run stay",
  ),
  transactionEventRetentionDays: preset(
    "POLYPHASE_TRANSACTION_EVENT_RETENTION_DAYS",
    "400",
    days,
    "How long the single events of transactions are kept, at most as long as the transactions",
  ),
  messageRetentionDays: preset(
    "POLYPHASE_MESSAGE_RETENTION_DAYS",
    "7",
    days,
    "How long the log of OCPP messages is kept",
  ),
  eventRetentionDays: preset("POLYPHASE_EVENT_RETENTION_DAYS", "30", days, "How long events can be resumed from"),
  trustedProxies: optional(
    "POLYPHASE_TRUSTED_PROXIES",
    networks,
    "Addresses or networks of proxies whose X-Forwarded-For is believed",
  ),
  logLevel: preset(
    "POLYPHASE_LOG_LEVEL",
    "info",
    choice<LogLevel>("trace", "debug", "info", "warn", "error", "fatal", "silent"),
    "Least level that is logged",
  ),
  shutdownGraceS: preset(
    "POLYPHASE_SHUTDOWN_GRACE",
    "10",
    integer(0, 300),
    "Seconds that a stop waits for answers that are under way",
  ),
} as const;

/** Name of a setting in the configuration. */
export type SettingKey = keyof typeof settings;

/** What the settings say, read. */
export type SettingValues = {
  readonly [Key in SettingKey]: (typeof settings)[Key] extends Setting<infer Value> ? Value : never;
};

/** The command-line flag of a setting, without the dashes: its variable without the program's name. */
export function flagOf({ variable }: Pick<Setting<unknown>, "variable">): string {
  return variable
    .replace(/^POLYPHASE_/, "")
    .toLowerCase()
    .replaceAll("_", "-");
}

/** A setting as documentation shows it. */
export interface SettingDescription {
  readonly key: SettingKey;
  readonly variable: string;
  /** With dashes and the kind of value. */
  readonly flag: string;
  readonly preset: string | undefined;
  readonly meaning: string;
  readonly rule: string;
}

/** Every setting, in the order in which documentation lists them. */
export const settingDescriptions: readonly SettingDescription[] = Object.entries<Setting<unknown>>(settings).map(
  ([key, setting]) => ({
    key: key as SettingKey,
    variable: setting.variable,
    flag: `--${flagOf(setting)} <value>`,
    preset: setting.preset,
    meaning: setting.meaning,
    rule: setting.kind.rule,
  }),
);

/** The settings as a table in Markdown, for the user's guide. */
export function settingsTable(): string {
  const rows = settingDescriptions.map(
    ({ variable, preset: text, meaning, rule }) =>
      `| \`${variable}\` | ${text === undefined ? "" : `\`${text}\``} | ${meaning} | ${rule} |`,
  );
  return ["| variable | default | meaning | must be |", "| --- | --- | --- | --- |", ...rows, ""].join("\n");
}
