import { isIP } from "node:net";
import path from "node:path";
import type { LogLevel } from "./log.ts";

/** What is wrong with the configuration, one sentence for each problem. Secret values are not repeated. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`the configuration is not usable:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`);
    this.problems = problems;
  }
}

/** One setting: where it comes from, what it means, and how its text is read. */
interface Setting<T> {
  readonly variable: string;
  /** Name of the command-line flag, without the dashes. */
  readonly flag: string;
  /** Text that stands for an absent value; undefined when there is none. */
  readonly preset: string | undefined;
  readonly meaning: string;
  /** The rule, as it continues "POLYPHASE_X must be ...". */
  readonly rule: string;
  readonly secret: boolean;
  /** Undefined when the text breaks the rule. */
  read(text: string): T | undefined;
}

interface SettingOptions<T> {
  readonly meaning: string;
  readonly rule: string;
  readonly secret?: boolean;
  read(text: string): T | undefined;
}

function optional<T>(variable: string, flag: string, options: SettingOptions<T>): Setting<T | undefined> {
  return { secret: false, ...options, variable, flag, preset: undefined };
}

function preset<T>(variable: string, flag: string, text: string, options: SettingOptions<T>): Setting<T> {
  return { secret: false, ...options, variable, flag, preset: text };
}

function integer(least: number, most: number): Pick<SettingOptions<number>, "rule" | "read"> {
  return {
    rule: `a whole number from ${least} to ${most}`,
    read(text) {
      const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
      return value >= least && value <= most ? value : undefined;
    },
  };
}

function choice<T extends string>(...values: readonly T[]): Pick<SettingOptions<T>, "rule" | "read"> {
  return { rule: `one of ${values.join(", ")}`, read: (text) => values.find((value) => value === text) };
}

const port = integer(0, 65_535);

const days: Pick<SettingOptions<number>, "rule" | "read"> = {
  rule: "a whole number of days from 1 to 36500, or forever",
  read: (text) => (text === "forever" ? Number.POSITIVE_INFINITY : integer(1, 36_500).read(text)),
};

const list: Pick<SettingOptions<readonly string[]>, "rule" | "read"> = {
  rule: "a list separated by commas",
  read(text) {
    const items = text.split(",").map((item) => item.trim());
    return items.includes("") ? undefined : items;
  },
};

const paths: Pick<SettingOptions<readonly string[]>, "rule" | "read"> = {
  rule: "one or more paths separated by commas",
  read: (text) => list.read(text)?.map((item) => path.resolve(item)),
};

function isHost(text: string): boolean {
  return isIP(text) !== 0 || /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(text);
}

function readUrl(text: string, protocols: readonly string[]): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, hostname, searchParams } = new URL(text);
  return protocols.includes(protocol) && (hostname !== "" || searchParams.has("host")) ? text : undefined;
}

function isOrigin(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]+$/i.test(text) && URL.canParse(text);
}

const settings = {
  host: preset("POLYPHASE_HOST", "host", "127.0.0.1", {
    meaning: "Address that all listeners bind to; 0.0.0.0 or :: for every interface",
    rule: "an IP address or a host name",
    read: (text) => (isHost(text) ? text : undefined),
  }),
  ocppPort: preset("POLYPHASE_OCPP_PORT", "ocpp-port", "9000", {
    meaning: "Port for stations without TLS: ws://HOST:PORT/ocpp/{stationId}, http://HOST:PORT/ocpp/soap",
    ...port,
  }),
  ocppTlsPort: preset("POLYPHASE_OCPP_TLS_PORT", "ocpp-tls-port", "9443", {
    meaning: "Port for stations with TLS; open when certificates are configured",
    ...port,
  }),
  httpPort: preset("POLYPHASE_HTTP_PORT", "http-port", "8080", {
    meaning: "Port of the API, its documentation, health and metrics",
    ...port,
  }),
  dataDir: preset("POLYPHASE_DATA_DIR", "data-dir", "./data", {
    meaning: "Directory of the embedded database and other files; created when missing",
    rule: "a path",
    read: (text) => (text.includes("\0") ? undefined : path.resolve(text)),
  }),
  databaseUrl: optional("DATABASE_URL", "database-url", {
    meaning: "PostgreSQL 15 or later to use instead of the embedded one",
    rule: "of the form postgres://user:password@host:port/database",
    secret: true,
    read: (text) => readUrl(text, ["postgres:", "postgresql:"]),
  }),
  databasePoolSize: preset("POLYPHASE_DATABASE_POOL_SIZE", "database-pool-size", "10", {
    meaning: "Most database connections for reads and administration; writes have their own",
    ...integer(1, 200),
  }),
  diskReserveMiB: preset("POLYPHASE_DISK_RESERVE", "disk-reserve", "256", {
    meaning: "MiB to keep free on the disk of the embedded database; with less, nothing is stored; 0 for no reserve",
    ...integer(0, 1_048_576),
  }),
  unknownStations: preset("POLYPHASE_UNKNOWN_STATIONS", "unknown-stations", "pending", {
    meaning:
      "Stations that are not registered: refused (reject), connected and listed for approval (pending), or registered at once (accept)",
    ...choice("reject", "pending", "accept"),
  }),
  stationOrigins: optional("POLYPHASE_STATION_ORIGINS", "station-origins", {
    meaning: "Web pages that may connect as stations, such as a simulator in a browser; none when absent",
    rule: "a list of origins (https://simulator.example) separated by commas",
    read: (text) => {
      const items = list.read(text);
      return items?.every(isOrigin) ? items : undefined;
    },
  }),
  adminToken: optional("POLYPHASE_ADMIN_TOKEN", "admin-token", {
    meaning: "Bearer token of an administrator; without it the first start prints a link that creates the first one",
    rule: "a token without blanks, of letters, digits and -._~+/=",
    secret: true,
    read: (text) => (/^[A-Za-z0-9\-._~+/]+=*$/.test(text) ? text : undefined),
  }),
  tlsCertificates: optional("POLYPHASE_TLS_CERT", "tls-cert", {
    meaning: "PEM files with the certificate chain for stations; several when both RSA and ECDSA are offered",
    ...paths,
  }),
  tlsKeys: optional("POLYPHASE_TLS_KEY", "tls-key", {
    meaning: "PEM files with the private keys, in the order of the certificates",
    ...paths,
  }),
  tlsClientAuthorities: optional("POLYPHASE_TLS_CA", "tls-ca", {
    meaning: "PEM files with the authorities of station certificates, for security profile 3",
    ...paths,
  }),
  operatorName: optional("POLYPHASE_OPERATOR_NAME", "operator-name", {
    meaning: "Organization (O) that station certificates must name; any when absent",
    rule: "a name of 1 to 64 characters",
    read: (text) => (text.length <= 64 ? text : undefined),
  }),
  soapPublicUrl: optional("POLYPHASE_SOAP_PUBLIC_URL", "soap-public-url", {
    meaning: "Address of the SOAP endpoint as stations reach it",
    rule: "an http or https URL",
    read: (text) => readUrl(text, ["http:", "https:"]),
  }),
  heartbeatIntervalS: preset("POLYPHASE_HEARTBEAT_INTERVAL", "heartbeat-interval", "300", {
    meaning: "Seconds between heartbeats that accepted stations are told to keep",
    ...integer(1, 86_400),
  }),
  callTimeoutS: preset("POLYPHASE_CALL_TIMEOUT", "call-timeout", "30", {
    meaning: "Seconds that a station has to answer a call",
    ...integer(1, 600),
  }),
  pingIntervalS: preset("POLYPHASE_PING_INTERVAL", "ping-interval", "30", {
    meaning: "Seconds between pings of a silent WebSocket; 0 pings no station, and no lost connection is noticed",
    ...integer(0, 3_600),
  }),
  pongTimeoutS: preset("POLYPHASE_PONG_TIMEOUT", "pong-timeout", "15", {
    meaning: "Seconds that a station has to answer a ping, or to say anything else, before its connection is given up",
    ...integer(1, 600),
  }),
  meterRetentionDays: preset("POLYPHASE_METER_RETENTION_DAYS", "meter-retention-days", "400", {
    meaning: "How long meter values are kept",
    ...days,
  }),
  transactionRetentionDays: preset("POLYPHASE_TRANSACTION_RETENTION_DAYS", "transaction-retention-days", "forever", {
    meaning: "How long transactions and their energy are kept after they began; those that run stay",
    ...days,
  }),
  transactionEventRetentionDays: preset(
    "POLYPHASE_TRANSACTION_EVENT_RETENTION_DAYS",
    "transaction-event-retention-days",
    "400",
    {
      meaning: "How long the single events of transactions are kept, at most as long as the transactions",
      ...days,
    },
  ),
  messageRetentionDays: preset("POLYPHASE_MESSAGE_RETENTION_DAYS", "message-retention-days", "7", {
    meaning: "How long the log of OCPP messages is kept",
    ...days,
  }),
  eventRetentionDays: preset("POLYPHASE_EVENT_RETENTION_DAYS", "event-retention-days", "30", {
    meaning: "How long events can be resumed from",
    ...days,
  }),
  trustedProxies: optional("POLYPHASE_TRUSTED_PROXIES", "trusted-proxies", {
    meaning: "Addresses or networks of proxies whose X-Forwarded-For is believed",
    rule: "a list of IP addresses or networks (10.0.0.0/8) separated by commas",
    read: (text) => {
      const items = list.read(text);
      return items?.every((item) => isIP(item.split("/")[0] ?? "") !== 0) ? items : undefined;
    },
  }),
  logLevel: preset("POLYPHASE_LOG_LEVEL", "log-level", "info", {
    meaning: "Least level that is logged",
    ...choice<LogLevel>("trace", "debug", "info", "warn", "error", "fatal", "silent"),
  }),
  shutdownGraceS: preset("POLYPHASE_SHUTDOWN_GRACE", "shutdown-grace", "10", {
    meaning: "Seconds that a stop waits for answers that are under way",
    ...integer(0, 300),
  }),
} as const;

type Settings = typeof settings;
type SettingKey = keyof Settings;

type Values = {
  readonly [Key in SettingKey]: Settings[Key] extends Setting<infer Value> ? Value : never;
};

/** The configuration of a CSMS, checked. Paths are absolute; retention "forever" is Infinity. */
export interface Config extends Values {
  /** What the operator should know, for example a variable that looks misspelt. */
  readonly warnings: readonly string[];
}

/** Values given by flags, as texts; they win over the environment. */
export type ConfigOverrides = { readonly [Key in SettingKey]?: string | undefined };

/** Variables of the environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

function distance(first: string, second: string): number {
  let row = Array.from({ length: second.length + 1 }, (_, index) => index);
  for (let i = 1; i <= first.length; i++) {
    const next = [i];
    for (let j = 1; j <= second.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (first[i - 1] === second[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[second.length] ?? 0;
}

function unknownVariables(env: Environment): readonly string[] {
  const known = Object.values(settings).map(({ variable }) => variable);
  return Object.keys(env)
    .filter((name) => name.startsWith("POLYPHASE_") && !name.startsWith("POLYPHASE_TEST_") && !known.includes(name))
    .map((name) => {
      const [nearest] = known.toSorted((first, second) => distance(name, first) - distance(name, second));
      const hint = nearest !== undefined && distance(name, nearest) <= 4 ? `; did you mean ${nearest}?` : "";
      return `${name} is not a setting of this version${hint}`;
    });
}

function crossChecks(values: Values, problems: string[]): void {
  const { tlsCertificates = [], tlsKeys = [], tlsClientAuthorities, ocppPort, ocppTlsPort, httpPort } = values;
  if (tlsCertificates.length !== tlsKeys.length) {
    problems.push("POLYPHASE_TLS_CERT and POLYPHASE_TLS_KEY must name the same number of files");
  }
  if (tlsClientAuthorities !== undefined && tlsCertificates.length === 0) {
    problems.push("POLYPHASE_TLS_CA needs POLYPHASE_TLS_CERT and POLYPHASE_TLS_KEY");
  }
  const ports = [
    ["POLYPHASE_OCPP_PORT", ocppPort],
    ["POLYPHASE_HTTP_PORT", httpPort],
    ...(tlsCertificates.length > 0 ? ([["POLYPHASE_OCPP_TLS_PORT", ocppTlsPort]] as const) : []),
  ] as const;
  for (const [index, [name, value]] of ports.entries()) {
    const twin = ports.slice(0, index).find(([, other]) => other === value && value !== 0);
    if (twin !== undefined) problems.push(`${twin[0]} and ${name} must be different, and are both ${value}`);
  }
}

/**
 * Reads the configuration from environment and flags. A variable that is empty counts as absent.
 *
 * @throws ConfigError that names every problem at once
 *
 * @example
 * const config = loadConfig(process.env, { httpPort: "8081" });
 */
export function loadConfig(env: Environment, overrides: ConfigOverrides = {}): Config {
  const problems: string[] = [];
  const entries = Object.entries<Setting<unknown>>(settings).map(([key, setting]) => {
    const given = overrides[key as SettingKey];
    const fromEnvironment = env[setting.variable]?.trim();
    const text = given ?? (fromEnvironment === "" ? undefined : fromEnvironment) ?? setting.preset;
    if (text === undefined) return [key, undefined] as const;
    const value = setting.read(text);
    if (value === undefined) {
      const name = given === undefined ? setting.variable : `--${setting.flag}`;
      const shown = setting.secret ? "" : `, not ${JSON.stringify(text.slice(0, 100))}`;
      problems.push(`${name} must be ${setting.rule}${shown}`);
    }
    return [key, value] as const;
  });
  // Every entry was read by its own setting, or its problem ends the function below.
  const values = Object.fromEntries(entries) as unknown as Values;
  if (problems.length === 0) crossChecks(values, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  const warnings = [...unknownVariables(env)];
  if (values.adminToken !== undefined && values.adminToken.length < 16) {
    warnings.push("POLYPHASE_ADMIN_TOKEN is short enough to be guessed; use 16 characters or more");
  }
  return { ...values, warnings };
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
  ([key, { variable, flag, preset: text, meaning, rule }]) => ({
    key: key as SettingKey,
    variable,
    flag: `--${flag} <value>`,
    preset: text,
    meaning,
    rule,
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
