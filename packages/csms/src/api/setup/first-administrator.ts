import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { known } from "../error-mapping.ts";
import type { ApiKey } from "../keys/api-key-store.ts";
import type { ApiKeys } from "../keys/api-keys.ts";

/**
 * Lets whoever can read the process's output create the first administrator's key, once. The token is in memory only,
 * so it dies with the process and with its use.
 */
export class FirstAdministrator {
  readonly #keys: ApiKeys;
  #tokenHash: Buffer | undefined;

  constructor(keys: ApiKeys) {
    this.#keys = keys;
  }

  /** Whether the link can be used. */
  get isOpen(): boolean {
    return this.#tokenHash !== undefined && !this.#keys.hasAdministrator();
  }

  /**
   * The link to print, or undefined when there is an administrator already. The token is in the fragment, which
   * browsers do not send: it appears in no server's log. A further call makes the link before it useless.
   *
   * @param baseUrl for example `http://127.0.0.1:8080`
   */
  open(baseUrl: string): string | undefined {
    this.#tokenHash = undefined;
    if (this.#keys.hasAdministrator()) return undefined;
    const token = randomBytes(32).toString("base64url");
    this.#tokenHash = sha256(token);
    return `${baseUrl}/setup#${token}`;
  }

  /**
   * Creates the key.
   *
   * @throws ProblemError 403 when the token is not, or no longer, the one of the link
   */
  async create(token: string, name: string): Promise<{ key: ApiKey; token: string }> {
    const expected = this.#tokenHash;
    if (expected === undefined || !this.isOpen || !timingSafeEqual(sha256(token), expected)) {
      throw known("setup-closed", undefined);
    }
    // Taken before waiting, so that two requests at once cannot both succeed.
    this.#tokenHash = undefined;
    try {
      return await this.#keys.create({ name, role: "administrator", createdBy: "setup" });
    } catch (error) {
      this.#tokenHash = expected;
      throw error;
    }
  }
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text, "utf8").digest();
}
