/** A password that the CSMS gave: text, or the bytes of an AuthorizationKey in hexadecimal. */
export type StoredPassword = { readonly text: string } | { readonly hex: string };

/** What goes into the Basic header. */
export function passwordOf(password: StoredPassword): string | Buffer {
  return "text" in password ? password.text : Buffer.from(password.hex, "hex");
}
