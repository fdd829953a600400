import type { OcppVersion } from "@polyphase/ocpp";

/** OCPP 2.x: identifierString[48]. */
const maxLengthOf2x = 48;
/** OCPP 1.x sets no limit; this one keeps keys, logs and file names sane. */
const maxLengthOf1x = 128;

const unsafe = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}/\\]/u;

/**
 * Why a decoded identity cannot be served, or undefined when it can. Refused are empty and over-long ones, control
 * and invisible characters, path separators, and the names `.` and `..`.
 */
export function identityDefect(identity: string): string | undefined {
  if (identity.length === 0) return "the identity is empty";
  if (identity.length > maxLengthOf1x) return `the identity is longer than ${maxLengthOf1x} characters`;
  if (unsafe.test(identity)) return "the identity has characters that no identity may have";
  if (identity === "." || identity === "..") return "the identity is a path";
  if (identity.trim() !== identity) return "the identity begins or ends with a space";
  return undefined;
}

/**
 * Why an identity cannot be used with a version. 2.x allows 48 characters and no colon, which would be lost in
 * Basic credentials (A00.FR.204).
 */
export function identityDefectIn(version: OcppVersion, identity: string): string | undefined {
  if (version !== "2.0.1" && version !== "2.1") return undefined;
  if (identity.length > maxLengthOf2x) return `an identity of OCPP ${version} has at most ${maxLengthOf2x} characters`;
  if (identity.includes(":")) return `an identity of OCPP ${version} has no colon`;
  return undefined;
}
