import { flagOf, type Setting, type SettingKey, type SettingValues, settings } from "./settings.ts";

/** What is wrong with the configuration, one sentence for each problem. Secret values are not repeated. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`the configuration is not usable:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`);
    this.problems = problems;
  }
}

/** The configuration of a CSMS, checked. Paths are absolute; retention "forever" is Infinity. */
export interface Config extends SettingValues {
  /** What the operator should know, for example a variable that looks misspelt. */
  readonly warnings: readonly string[];
}

/** SettingValues given by flags, as texts; they win over the environment. */
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

function crossChecks(values: SettingValues, problems: string[]): void {
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
    const value = setting.kind.read(text);
    if (value === undefined) {
      const name = given === undefined ? setting.variable : `--${flagOf(setting)}`;
      const shown = setting.kind.secret ? "" : `, not ${JSON.stringify(text.slice(0, 100))}`;
      problems.push(`${name} must be ${setting.kind.rule}${shown}`);
    }
    return [key, value] as const;
  });
  // Every entry was read by its own setting, or its problem ends the function below.
  const values = Object.fromEntries(entries) as unknown as SettingValues;
  if (problems.length === 0) crossChecks(values, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  const warnings = [...unknownVariables(env)];
  if (values.adminToken !== undefined && values.adminToken.length < 16) {
    warnings.push("POLYPHASE_ADMIN_TOKEN is short enough to be guessed; use 16 characters or more");
  }
  return { ...values, warnings };
}
