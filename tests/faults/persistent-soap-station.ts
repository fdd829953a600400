import { catalogue, definitionsOf, readXml, type SoapVersion, type XmlElement, xmlCodec } from "@polyphase/ocpp";
import { expect } from "vitest";
import { rawRequest } from "../system/raw-station.ts";
import type { PersistentStation, QueuedCall } from "./persistent-station.ts";
import type { RestartableCsms } from "./restartable-csms.ts";
import { soapBody, soapEnvelope } from "./station-messages.ts";

/** What a persistent station can do, whatever it speaks. */
export type Persistent = Pick<PersistentStation, "identity" | "queued" | "deliver" | "call" | "close">;

/** The body's element of an envelope. */
function bodyOf(text: string): XmlElement {
  const [content] = readXml(text).children.find(({ name }) => name === "Body")?.children ?? [];
  if (content === undefined) throw new Error(`no body in ${text}`);
  return content;
}

/** A station of OCPP-S that sends each request until it is answered, with the same message id. */
export class PersistentSoapStation implements Persistent {
  readonly identity: string;
  readonly #running: RestartableCsms;
  readonly #version: SoapVersion;
  #isBooted = false;
  #number = 0;

  constructor(running: RestartableCsms, identity: string, version: SoapVersion) {
    this.#running = running;
    this.identity = identity;
    this.#version = version;
  }

  queued(action: string, payload: object): QueuedCall {
    this.#number += 1;
    return { messageId: `urn:station:${this.identity}:${this.#number}`, action, payload };
  }

  async deliver(call: QueuedCall): Promise<Record<string, unknown>> {
    if (!this.#isBooted) {
      this.#isBooted = true;
      const boot = { chargePointVendor: "Raw", chargePointModel: "R" };
      expect(await this.call("BootNotification", boot)).toMatchObject({ status: "Accepted" });
    }
    return await this.#send(call);
  }

  async call(action: string, payload: object): Promise<Record<string, unknown>> {
    return await this.deliver(this.queued(action, payload));
  }

  /** There is no connection between two requests. */
  async close(): Promise<void> {}

  async #send({ messageId, action, payload }: QueuedCall): Promise<Record<string, unknown>> {
    const entry = catalogue(this.#version).get(action);
    if (entry?.responseSchema === undefined) throw new Error(`${this.#version} has no ${action}`);
    const header = `<a:Action>/${action}</a:Action><a:MessageID>${messageId}</a:MessageID>`;
    const body = soapEnvelope(this.#version, this.identity, soapBody(this.#version, entry, payload), header);
    const headers = { "content-type": "application/soap+xml; charset=utf-8" };
    for (;;) {
      await this.#running.ready();
      try {
        const url = this.#running.urlFor(this.#version === "1.6" ? "1.6S" : "1.5");
        const answer = await rawRequest(url, { method: "POST", body, headers });
        if (answer.status !== 503) {
          expect(answer.status, `${action} was answered with ${answer.text}`).toBe(200);
          const codec = xmlCodec(entry.responseSchema, definitionsOf(this.#version));
          return codec.decode(bodyOf(answer.text)) as Record<string, unknown>;
        }
      } catch (error) {
        // Refused by a listener that is closing, or cut off before the answer.
        if (error instanceof Error && error.name === "AssertionError") throw error;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
