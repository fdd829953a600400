import { isIP } from "node:net";
import path from "node:path";

/** A kind of value of settings. */
export interface SettingKind<T> {
  /** The rule, as it continues "POLYPHASE_X must be ...". */
  readonly rule: string;
  /** Whether its values are kept out of problems and logs. */
  readonly secret?: boolean;
  /** Undefined when the text breaks the rule. */
  read(text: string): T | undefined;
}

/** A whole number between two bounds, both included. */
export function integer(least: number, most: number): SettingKind<number> {
  return {
    rule: `a whole number from ${least} to ${most}`,
    read(text) {
      const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
      return value >= least && value <= most ? value : undefined;
    },
  };
}

/** One of some words. */
export function choice<T extends string>(...values: readonly T[]): SettingKind<T> {
  return { rule: `one of ${values.join(", ")}`, read: (text) => values.find((value) => value === text) };
}

/** A port to listen on; 0 lets the system choose. */
export const port = integer(0, 65_535);

/** How long something is kept, in days; Infinity for "forever". */
export const days: SettingKind<number> = {
  rule: "a whole number of days from 1 to 36500, or forever",
  read: (text) => (text === "forever" ? Number.POSITIVE_INFINITY : integer(1, 36_500).read(text)),
};

/** A name of at most so many characters. */
export function name(mostCharacters: number): SettingKind<string> {
  return {
    rule: `a name of 1 to ${mostCharacters} characters`,
    read: (text) => (text.length <= mostCharacters ? text : undefined),
  };
}

/** A path, read as an absolute one. */
export const directory: SettingKind<string> = {
  rule: "a path",
  read: (text) => (text.includes("\0") ? undefined : path.resolve(text)),
};

/** Paths, read as absolute ones. */
export const paths: SettingKind<readonly string[]> = {
  rule: "one or more paths separated by commas",
  read: (text) => itemsOf(text)?.map((item) => path.resolve(item)),
};

/** What a listener can bind to. */
export const host: SettingKind<string> = {
  rule: "an IP address or a host name",
  read: (text) => (isHost(text) ? text : undefined),
};

/** Origins of web pages, as browsers tell them. */
export const origins: SettingKind<readonly string[]> = {
  rule: "a list of origins (https://simulator.example) separated by commas",
  read: (text) => itemsThat(isOrigin, text),
};

/** Addresses of hosts or networks. */
export const networks: SettingKind<readonly string[]> = {
  rule: "a list of IP addresses or networks (10.0.0.0/8) separated by commas",
  read: (text) => itemsThat((item) => isIP(item.split("/")[0] ?? "") !== 0, text),
};

/** An address of the web. */
export const webUrl: SettingKind<string> = {
  rule: "an http or https URL",
  read: (text) => readUrl(text, ["http:", "https:"]),
};

/** Where a PostgreSQL is, with its password. */
export const databaseUrl: SettingKind<string> = {
  rule: "of the form postgres://user:password@host:port/database",
  secret: true,
  read: (text) => readUrl(text, ["postgres:", "postgresql:"]),
};

/** A bearer token (RFC 6750 §2.1). */
export const bearerToken: SettingKind<string> = {
  rule: "a token without blanks, of letters, digits and -._~+/=",
  secret: true,
  read: (text) => (/^[A-Za-z0-9\-._~+/]+=*$/.test(text) ? text : undefined),
};

function itemsOf(text: string): readonly string[] | undefined {
  const items = text.split(",").map((item) => item.trim());
  return items.includes("") ? undefined : items;
}

function itemsThat(fits: (item: string) => boolean, text: string): readonly string[] | undefined {
  const items = itemsOf(text);
  return items?.every(fits) ? items : undefined;
}

function isHost(text: string): boolean {
  return isIP(text) !== 0 || /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(text);
}

function isOrigin(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]+$/i.test(text) && URL.canParse(text);
}

function readUrl(text: string, protocols: readonly string[]): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, hostname, searchParams } = new URL(text);
  return protocols.includes(protocol) && (hostname !== "" || searchParams.has("host")) ? text : undefined;
}
