const redacted = "[redacted]";

/** Names of configuration keys, variables and properties whose values are secrets. */
const secretName = /^authorizationkey$|password|secret|passphrase|privatekey/i;

/** Actions whose payloads can hold secrets or addresses with credentials. Others are searched for PIN codes only. */
const actionsWithSecrets: ReadonlySet<string> = new Set([
  "",
  "ChangeConfiguration",
  "DataTransfer",
  "GetConfiguration",
  "GetDiagnostics",
  "GetLog",
  "GetReport",
  "GetVariables",
  "NotifyEvent",
  "NotifyReport",
  "PublishFirmware",
  "PublishFirmwareStatusNotification",
  "SetNetworkProfile",
  "SetVariables",
  "SignedUpdateFirmware",
  "UpdateFirmware",
]);

const mention = /authorizationkey|password|secret|passphrase|privatekey|"vpn"|:\/\/[^/\s"<@:]*:[^/\s"<@]*@/i;
const addressCredentials = /(:\/\/[^/\s"<@:]*):[^/\s"<@]*@/g;

/**
 * A message without its secrets: passwords and keys in settings and network profiles, PIN codes, passwords within
 * addresses. All other messages are returned as they were on the wire.
 */
export function redact(action: string, text: string): string {
  const mayHoldSecrets = actionsWithSecrets.has(action) && mention.test(text);
  if (!mayHoldSecrets && !text.includes("KeyCode")) return text;
  const trimmed = text.trimStart();
  return trimmed.startsWith("<") ? redactXml(text) : redactJson(text);
}

function redactJson(text: string): string {
  try {
    return JSON.stringify(withoutSecrets(JSON.parse(text)));
  } catch {
    // Not JSON, or nested too deeply to be copied.
    return `[${text.length} characters that cannot be read and may hold a secret]`;
  }
}

function withoutSecrets(value: unknown): unknown {
  if (typeof value === "string") return value.replace(addressCredentials, `$1:${redacted}@`);
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([name, item]) => [name, withoutSecrets(item)] as const);
  const result: Record<string, unknown> = Object.fromEntries(entries);
  for (const name of secretProperties(value)) result[name] = redacted;
  return result;
}

interface Candidate {
  readonly key?: unknown;
  readonly variable?: { readonly name?: unknown } | null;
  readonly type?: unknown;
}

/** Names of the properties of an object that hold secrets. */
function secretProperties(value: object): readonly string[] {
  const { key, variable, type } = value as Candidate;
  const names = Object.keys(value).filter((name) => secretName.test(name));
  // 1.6: { key, value } and 2.x: { variable: { name }, attributeValue }, in whatever message they stand.
  if (isSecretName(key) && "value" in value) names.push("value");
  if (isSecretName(variable?.name)) {
    for (const name of ["attributeValue", "variableAttribute", "actualValue"]) if (name in value) names.push(name);
  }
  if (type === "KeyCode" && "idToken" in value) names.push("idToken");
  // VPNType of a network profile: its key is the shared one.
  if (typeof key === "string" && "server" in value && "user" in value) names.push("key");
  return names;
}

function isSecretName(name: unknown): boolean {
  return typeof name === "string" && secretName.test(name);
}

// Each part ends where the next begins: a text made to be tried over and over must not take longer than others.
const keyAndValue = /(<(?:[\w.-]+:)?key>)([^<]*)(?=<)((?:(?!<(?:[\w.-]+:)?key>)[\s\S])*?<(?:[\w.-]+:)?value>)([^<]*)/gi;

/** The only secrets that OCPP-S carries are values of configuration keys and addresses. */
function redactXml(text: string): string {
  return text
    .replace(addressCredentials, `$1:${redacted}@`)
    .replace(keyAndValue, (whole, open: string, key: string, between: string) =>
      isSecretName(key.trim()) ? `${open}${key}${between}${redacted}` : whole,
    );
}
