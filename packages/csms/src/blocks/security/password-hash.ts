import { hash, verify } from "@node-rs/argon2";

/** Argon2id with one pass, 2 ms: for what may be a word that somebody chose. */
const costOfShort = { memoryCost: 4_096, timeCost: 1, parallelism: 1 } as const;

/**
 * The same with a quarter of the memory, 0.4 ms. A password that is as long as OCPP asks is meant to be random
 * (A00.FR.205), and then no search finds it, however cheap a guess is; what counts is how many stations can come back
 * at once after a restart.
 */
const costOfLong = { memoryCost: 1_024, timeCost: 1, parallelism: 1 } as const;

/** Bytes from which on a password is as OCPP asks (A00.FR.205; 1.6 security whitepaper, AuthorizationKey). */
const LONG_BYTES = 16;

/** The library verifies texts only, and a password of 1.6 need not be one. */
const asText = (password: Buffer) => password.toString("base64");

/** Hashes a password's bytes, with a salt, for storage. The result tells its cost, so that all costs ever used are verified. */
export function hashPassword(password: Buffer): Promise<string> {
  return hash(asText(password), password.length < LONG_BYTES ? costOfShort : costOfLong);
}

/** Whether the password is the hashed one. */
export function matchesHash(passwordHash: string, password: Buffer): Promise<boolean> {
  return verify(passwordHash, asText(password));
}
