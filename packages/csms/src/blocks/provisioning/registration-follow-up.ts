import type { Logger } from "pino";
import { CommandNotSupportedError, type StationCalls, StationOfflineError } from "../../gateway/station-messages.ts";

/** Makes a decision about a station's registration take effect now instead of at its next boot. */
export class RegistrationFollowUp {
  readonly #calls: () => StationCalls | undefined;
  readonly #log: Logger;

  constructor(calls: () => StationCalls | undefined, log: Logger) {
    this.#calls = calls;
    this.#log = log;
  }

  /**
   * Asks an approved station to boot at once (1.6 §5.17; F06.FR.17 foresees just this use). Where the version or the
   * station cannot, it boots when its retry interval has passed. Never rejects.
   */
  async approved(stationId: string): Promise<void> {
    const calls = this.#calls();
    const session = calls?.session(stationId);
    if (calls === undefined || session === undefined) return;
    const request = { requestedMessage: "BootNotification" } as const;
    try {
      const { status } =
        session.family === 1
          ? await calls.call1(stationId, "TriggerMessage", request)
          : await calls.call2(stationId, "TriggerMessage", request);
      this.#log.info({ stationId, status }, "asked an approved station to boot");
    } catch (error) {
      const expected = error instanceof CommandNotSupportedError || error instanceof StationOfflineError;
      this.#log[expected ? "debug" : "warn"]({ stationId, err: error }, "an approved station boots when it asks again");
    }
  }

  /** Ends the connection of a rejected station (1.6 §4.2 and B03 allow it). Never rejects. */
  async rejected(stationId: string): Promise<void> {
    try {
      await this.#calls()?.disconnect(stationId, "the station is rejected");
    } catch (error) {
      this.#log.warn({ stationId, err: error }, "a rejected station was not disconnected");
    }
  }
}
