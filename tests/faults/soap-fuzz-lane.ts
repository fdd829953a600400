import { Agent, request } from "node:http";
import { gzipSync } from "node:zlib";
import type { SoapVersion } from "@polyphase/ocpp";
import { SeededRandom } from "../protocol/seeded-random.ts";
import { validEnvelopes } from "./station-messages.ts";

const pieces = [
  ...["<", ">", "/", "&amp;", "&x;", "]]>", "<![CDATA[", "<!--", "-->", '<!DOCTYPE a [<!ENTITY x "y">]>', '"', "'"],
  ...["c:", 'xmlns:c=""', "\0", "&#0;", "\uFFFE", "<c:values>", "</s:Body>", "__proto__", "1e999", "-1", " "],
  ...["<?x y?>", ' a="b"', "<c:x>".repeat(50), "'; drop table station; --", "\u202e", "x".repeat(2_000)],
];

/** Statuses of OCPP-S and of a body that HTTP refuses. */
const allowed = new Set([200, 400, 413, 415, 500, 503]);

/** How a lane fuzzes. */
export interface SoapLaneOptions {
  readonly url: string;
  readonly version: SoapVersion;
  readonly identity: string;
  readonly seed: number;
}

/** A station of OCPP-S that posts envelopes of which most are spoilt. */
export class SoapFuzzLane {
  readonly findings: string[] = [];
  readonly statuses = new Map<number, number>();
  requests = 0;
  readonly #options: SoapLaneOptions;
  readonly #random: SeededRandom;
  readonly #valid: readonly string[];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 4 });

  constructor(options: SoapLaneOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
    this.#valid = validEnvelopes(options.version, options.identity, options.seed, 6);
  }

  /** Posts so many bodies, a few at a time, and looks at every answer. */
  async run(requests: number): Promise<void> {
    for (let left = requests; left > 0; left -= 8) {
      const bodies = Array.from({ length: Math.min(8, left) }, () => this.#body());
      await Promise.all(bodies.map((body) => this.#post(body)));
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #body(): string {
    const random = this.#random;
    let text = random.pick(this.#valid);
    for (let count = random.below(4); count > 0; count--) {
      const from = random.below(text.length);
      text = text.slice(0, from) + random.pick(pieces) + text.slice(from + random.below(30));
    }
    return text;
  }

  #post(text: string): Promise<void> {
    this.requests++;
    const isCompressed = this.#random.oneIn(10);
    const headers = {
      "content-type": "application/soap+xml; charset=utf-8",
      ...(isCompressed ? { "content-encoding": "gzip" } : {}),
    };
    return new Promise((resolve) => {
      const made = request(this.#options.url, { method: "POST", agent: this.#agent, headers }, (response) => {
        let answer = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          answer += chunk;
        });
        response.on("end", () => {
          this.#judge(response.statusCode ?? 0, answer, text);
          resolve();
        });
      });
      made.setTimeout(120_000, () => made.destroy(new Error("no answer")));
      made.on("error", (error) => {
        this.findings.push(`${this.#options.identity}: ${error.message} after ${text}`);
        resolve();
      });
      made.end(isCompressed ? gzipSync(text) : text);
    });
  }

  #judge(status: number, answer: string, text: string): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    const isEnvelope = answer.includes("Envelope>");
    const isFault = answer.includes("Fault>");
    if (allowed.has(status) && isEnvelope && isFault === (status !== 200)) return;
    this.findings.push(`${this.#options.identity}: ${status} ${answer.slice(0, 300)} after ${text.slice(0, 3_000)}`);
  }
}
