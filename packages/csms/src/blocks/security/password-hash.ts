import { hash, verify } from "@node-rs/argon2";

/**
 * Argon2id with 4 MiB and one pass, 1.5 ms. Passwords of stations are random and long (A00.FR.205: 16 characters
 * or more), so that what counts is how many stations can come back at once after a restart.
 */
const cost = { memoryCost: 4_096, timeCost: 1, parallelism: 1 } as const;

/** The library verifies texts only, and a password of 1.6 need not be one. */
const asText = (password: Buffer) => password.toString("base64");

/** Hashes a password's bytes, with a salt, for storage. */
export function hashPassword(password: Buffer): Promise<string> {
  return hash(asText(password), cost);
}

/** Whether the password is the hashed one. */
export function matchesHash(passwordHash: string, password: Buffer): Promise<boolean> {
  return verify(passwordHash, asText(password));
}
