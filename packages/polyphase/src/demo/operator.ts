/** Does by the HTTP API what an operator would do before the first driver comes. */
export class Operator {
  readonly #baseUrl: string;
  readonly #token: string;

  /** @param httpUrl base address of the CSMS, without a path */
  constructor(httpUrl: string, token: string) {
    this.#baseUrl = `${httpUrl}/api/v1`;
    this.#token = token;
  }

  /** Registers a station at a site, or says again what is known. */
  async registerStation(stationId: string, site: string): Promise<void> {
    await this.#put(`/stations/${encodeURIComponent(stationId)}`, { registrationStatus: "Accepted", site });
  }

  /** Registers a token, or says again what is known. */
  async registerIdToken(idToken: string, status: "Accepted" | "Blocked"): Promise<void> {
    await this.#put(`/id-tokens/${encodeURIComponent(idToken)}`, { type: "ISO14443", status });
  }

  async #put(path: string, body: unknown): Promise<void> {
    const response = await fetch(this.#baseUrl + path, {
      method: "PUT",
      headers: { authorization: `Bearer ${this.#token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`PUT ${path} was answered with ${response.status}: ${await response.text()}`);
  }
}
