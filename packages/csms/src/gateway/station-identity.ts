/** OCPP 2.x allows 48 characters and 1.x sets no limit; this one keeps keys, logs and file names sane. */
const maxLength = 128;

const unsafe = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}/\\]/u;

/**
 * Why a decoded identity cannot be served, or undefined when it can. Refused are empty and over-long ones, control
 * and invisible characters, path separators, and the names `.` and `..`.
 */
export function identityDefect(identity: string): string | undefined {
  if (identity.length === 0) return "the identity is empty";
  if (identity.length > maxLength) return `the identity is longer than ${maxLength} characters`;
  if (unsafe.test(identity)) return "the identity has characters that no identity may have";
  if (identity === "." || identity === "..") return "the identity is a path";
  if (identity.trim() !== identity) return "the identity begins or ends with a space";
  return undefined;
}
