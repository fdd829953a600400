import { expect } from "vitest";
import type { RawStation } from "../system/raw-station.ts";
import { RawStation as Socket } from "../system/raw-station.ts";
import type { RestartableCsms } from "./restartable-csms.ts";

/** A call as a station keeps it until it is answered. */
export interface QueuedCall {
  readonly messageId: string;
  readonly action: string;
  readonly payload: object;
}

const BOOTS = {
  "ocpp1.6": { chargePointVendor: "Raw", chargePointModel: "R" },
  "ocpp2.0.1": { reason: "PowerUp", chargingStation: { vendorName: "Raw", model: "R" } },
  "ocpp2.1": { reason: "PowerUp", chargingStation: { vendorName: "Raw", model: "R" } },
} as const;

/**
 * A station that sends one call at a time and each until it is answered: when the connection is lost it connects
 * again and sends the same call with the same message id, as stations do with what must not be lost.
 */
export class PersistentStation {
  readonly identity: string;
  readonly #running: RestartableCsms;
  readonly #subprotocol: keyof typeof BOOTS;
  #socket: RawStation | undefined;
  #booted = false;
  #number = 0;

  constructor(running: RestartableCsms, identity: string, subprotocol: keyof typeof BOOTS) {
    this.#running = running;
    this.identity = identity;
    this.#subprotocol = subprotocol;
  }

  /** A call with a message id that was not used before. */
  queued(action: string, payload: object): QueuedCall {
    this.#number += 1;
    return { messageId: `${this.identity}-${this.#number}`, action, payload };
  }

  /** Sends a call until it is answered and resolves with the payload of its CALLRESULT. Rejects on a CALLERROR. */
  async deliver({ messageId, action, payload }: QueuedCall): Promise<Record<string, unknown>> {
    for (;;) {
      const socket = await this.#connected();
      const earlier = socket.answers.findIndex((frame) => frame[1] === messageId);
      if (earlier >= 0) socket.answers.splice(earlier, 1);
      const frame = await socket.ask(action, payload, messageId).catch(() => undefined);
      if (frame === undefined) continue;
      expect(frame[0], `${action} was answered with ${JSON.stringify(frame)}`).toBe(3);
      return frame[2] as Record<string, unknown>;
    }
  }

  /** Sends a new call. */
  async call(action: string, payload: object): Promise<Record<string, unknown>> {
    return await this.deliver(this.queued(action, payload));
  }

  async close(): Promise<void> {
    await this.#socket?.close();
  }

  async #connected(): Promise<RawStation> {
    for (;;) {
      if (this.#socket?.socket.readyState === 1) return this.#socket;
      await this.#running.ready();
      try {
        this.#socket = await Socket.connect(this.#running, this.identity, [this.#subprotocol]);
        if (this.#booted) return this.#socket;
        const answer = await this.#socket.ask("BootNotification", BOOTS[this.#subprotocol]);
        expect(answer[2]).toMatchObject({ status: "Accepted" });
        this.#booted = true;
      } catch (error) {
        // Refused by a listener that is closing, or cut off before the answer.
        if (error instanceof Error && error.name === "AssertionError") throw error;
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }
}
