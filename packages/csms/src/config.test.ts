import path from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ConfigError, type ConfigOverrides, type Environment, loadConfig } from "./config.ts";
import { settingDescriptions, settingsTable } from "./settings.ts";

function problemsOf(env: Environment, overrides?: ConfigOverrides): readonly string[] {
  try {
    loadConfig(env, overrides);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

test("an empty environment gives the documented defaults", () => {
  expect(loadConfig({})).toEqual({
    host: "127.0.0.1",
    ocppPort: 9000,
    ocppTlsPort: 9443,
    httpPort: 8080,
    dataDir: path.resolve("data"),
    databasePoolSize: 10,
    diskReserveMiB: 256,
    unknownStations: "pending",
    heartbeatIntervalS: 300,
    callTimeoutS: 30,
    pingIntervalS: 30,
    pongTimeoutS: 15,
    meterRetentionDays: 400,
    transactionRetentionDays: Number.POSITIVE_INFINITY,
    transactionEventRetentionDays: 400,
    messageRetentionDays: 7,
    eventRetentionDays: 30,
    logLevel: "info",
    shutdownGraceS: 10,
    warnings: [],
  });
});

test("flags win over the environment, which wins over defaults; an empty variable counts as absent", () => {
  const env = { POLYPHASE_HTTP_PORT: "1001", POLYPHASE_OCPP_PORT: " 1002 ", POLYPHASE_HOST: "", DATABASE_URL: "" };
  const config = loadConfig(env, { httpPort: "1003" });
  expect(config).toMatchObject({ httpPort: 1003, ocppPort: 1002, host: "127.0.0.1", databaseUrl: undefined });
});

test("every problem is told at once, by the name of variable or flag and its rule", () => {
  const env = { POLYPHASE_OCPP_PORT: "70000", POLYPHASE_UNKNOWN_STATIONS: "maybe", POLYPHASE_LOG_LEVEL: "loud" };
  expect(problemsOf(env, { httpPort: "x" })).toEqual([
    'POLYPHASE_OCPP_PORT must be a whole number from 0 to 65535, not "70000"',
    '--http-port must be a whole number from 0 to 65535, not "x"',
    'POLYPHASE_UNKNOWN_STATIONS must be one of reject, pending, accept, not "maybe"',
    'POLYPHASE_LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent, not "loud"',
  ]);
});

test("secrets are not repeated in problems", () => {
  const problems = problemsOf({ DATABASE_URL: "mysql://u:hidden@h/d", POLYPHASE_ADMIN_TOKEN: "hidden token" });
  expect(problems).toHaveLength(2);
  expect(problems.join()).not.toContain("hidden");
});

test.each([
  ["postgres://user:pass@db.example:5433/polyphase?sslmode=require", true],
  ["postgresql:///polyphase?host=/run/postgresql", true],
  ["postgres:///polyphase", false],
  ["http://db.example", false],
])("DATABASE_URL %s is accepted: %s", (url, accepted) => {
  expect(problemsOf({ DATABASE_URL: url }).length === 0).toBe(accepted);
});

test.each([
  ["https://simulator.example, http://localhost:5173, chrome-extension://abc", true],
  ["https://simulator.example/", false],
  ["simulator.example", false],
  ["*", false],
])("POLYPHASE_STATION_ORIGINS %s is accepted: %s", (origins, accepted) => {
  expect(problemsOf({ POLYPHASE_STATION_ORIGINS: origins }).length === 0).toBe(accepted);
});

test("two listeners cannot share a port, but the system may choose both", () => {
  expect(problemsOf({ POLYPHASE_HTTP_PORT: "9000" })).toEqual([
    "POLYPHASE_OCPP_PORT and POLYPHASE_HTTP_PORT must be different, and are both 9000",
  ]);
  expect(problemsOf({ POLYPHASE_HTTP_PORT: "9443" })).toEqual([]);
  expect(problemsOf({ POLYPHASE_HTTP_PORT: "0", POLYPHASE_OCPP_PORT: "0" })).toEqual([]);
});

test("certificates and keys come in pairs, and authorities need them", () => {
  const pair = { POLYPHASE_TLS_CERT: "rsa.pem, ec.pem", POLYPHASE_TLS_KEY: "rsa.key,ec.key" };
  expect(loadConfig(pair).tlsCertificates).toEqual([path.resolve("rsa.pem"), path.resolve("ec.pem")]);
  expect(problemsOf({ POLYPHASE_TLS_CERT: "a.pem" })).toHaveLength(1);
  expect(problemsOf({ POLYPHASE_TLS_CERT: "a.pem,b.pem", POLYPHASE_TLS_KEY: "a.key" })).toHaveLength(1);
  expect(problemsOf({ POLYPHASE_TLS_CA: "ca.pem" })).toHaveLength(1);
  expect(problemsOf({ ...pair, POLYPHASE_HTTP_PORT: "9443" })).toHaveLength(1);
});

test("retention may be forever", () => {
  expect(loadConfig({ POLYPHASE_METER_RETENTION_DAYS: "forever" }).meterRetentionDays).toBe(Number.POSITIVE_INFINITY);
  expect(problemsOf({ POLYPHASE_METER_RETENTION_DAYS: "0" })).toHaveLength(1);
});

test("a misspelt variable is pointed out", () => {
  const { warnings } = loadConfig({ POLYPHASE_HTPP_PORT: "1", POLYPHASE_SOMETHING_ELSE: "1", POLYPHASE_TEST_X: "1" });
  expect(warnings).toEqual([
    "POLYPHASE_HTPP_PORT is not a setting of this version; did you mean POLYPHASE_HTTP_PORT?",
    "POLYPHASE_SOMETHING_ELSE is not a setting of this version",
  ]);
});

test("a short administrator's token works and is warned about", () => {
  expect(loadConfig({ POLYPHASE_ADMIN_TOKEN: "secret" })).toMatchObject({
    adminToken: "secret",
    warnings: [expect.stringContaining("POLYPHASE_ADMIN_TOKEN")],
  });
});

test("proxies are addresses or networks", () => {
  expect(loadConfig({ POLYPHASE_TRUSTED_PROXIES: "10.0.0.0/8, ::1" }).trustedProxies).toEqual(["10.0.0.0/8", "::1"]);
  expect(problemsOf({ POLYPHASE_TRUSTED_PROXIES: "proxy.example" })).toHaveLength(1);
});

test("whatever stands in a variable, the result is a configuration or a ConfigError that names the variable", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...settingDescriptions.map(({ variable }) => variable)),
      fc.string({ unit: "binary" }),
      (variable, text) => {
        const problems = problemsOf({ [variable]: text });
        for (const problem of problems) expect(problem).toContain(variable);
      },
    ),
    { numRuns: 500 },
  );
});

test("the table documents every setting once", () => {
  const table = settingsTable();
  for (const { variable } of settingDescriptions) expect(table.split(`\`${variable}\``)).toHaveLength(2);
  expect(new Set(settingDescriptions.map(({ flag }) => flag)).size).toBe(settingDescriptions.length);
});
