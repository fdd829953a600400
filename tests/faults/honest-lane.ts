import type { RunningCsms } from "../system/running-csms.ts";
import { RawWebSocket } from "./raw-websocket.ts";

const PATIENCE_MS = 60_000;
const WH_PER_EVENT = 7;

/** A 2.0.1 station that breaks no rule: it charges for as long as it is let, and every event must be answered. */
export class HonestLane {
  readonly identity: string;
  events = 0;
  slowestMs = 0;
  readonly findings: string[] = [];
  readonly #running: RunningCsms;
  readonly #socket: RawWebSocket;
  #number = 0;
  #answered: (frame: readonly unknown[]) => void = () => {};
  #end: readonly unknown[] | undefined;
  #isOver = false;
  #done: Promise<void> = Promise.resolve();

  private constructor(running: RunningCsms, identity: string, socket: RawWebSocket) {
    this.#running = running;
    this.identity = identity;
    this.#socket = socket;
    socket.onText = (text) => {
      const frame = JSON.parse(text) as readonly unknown[];
      if (frame[0] === 2) socket.frame(JSON.stringify([4, frame[1], "NotSupported", "", {}]));
      else this.#answered(frame);
    };
    // Once for the whole connection: what waits for its end is kept until then.
    void socket.ended.then(({ code, reason }) => {
      this.#end = [`the connection ended with ${code} ${reason}`];
      this.#answered(this.#end);
    });
  }

  /** Connects, boots and begins to charge. */
  static async start(running: RunningCsms, identity: string): Promise<HonestLane> {
    const subprotocol = "ocpp2.0.1";
    const socket = await RawWebSocket.connect(running.csms.ocppPort, `/ocpp/${identity}`, { subprotocol });
    const lane = new HonestLane(running, identity, socket);
    await lane.#call("BootNotification", {
      reason: "PowerUp",
      chargingStation: { vendorName: "Honest", model: "H" },
    });
    await lane.#event("Started", "Authorized");
    lane.#done = lane.#charge();
    return lane;
  }

  /** Ends the transaction and sees that the CSMS has all of it. */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#done;
    await this.#event("Ended", "StopAuthorized");
    const { body } = await this.#running.api("GET", `/transactions?stationId=${this.identity}`);
    const energyWh = (this.events - 1) * WH_PER_EVENT;
    const [transaction] = body.items ?? [];
    if (body.items?.length !== 1 || transaction?.energyWh !== energyWh || transaction.status !== "Ended") {
      this.findings.push(`the honest station charged ${energyWh} Wh; the CSMS has ${JSON.stringify(body.items)}`);
    }
    await this.#socket.close();
  }

  async #charge(): Promise<void> {
    while (!this.#isOver && this.findings.length === 0) {
      await this.#event("Updated", "MeterValuePeriodic");
      // One at a time and not without pause, as a station does.
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async #event(eventType: string, triggerReason: string): Promise<void> {
    const seqNo = this.events++;
    const timestamp = new Date(Date.parse("2026-05-01T10:00:00Z") + seqNo * 1_000).toISOString();
    const sampledValue = [{ value: 1_000 + seqNo * WH_PER_EVENT, measurand: "Energy.Active.Import.Register" }];
    await this.#call("TransactionEvent", {
      ...{ eventType, triggerReason, seqNo, timestamp },
      ...{ transactionInfo: { transactionId: "honest" }, evse: { id: 1, connectorId: 1 } },
      meterValue: [{ timestamp, sampledValue }],
    });
  }

  async #call(action: string, payload: unknown): Promise<void> {
    const id = `h${this.#number++}`;
    const startedMs = performance.now();
    let late: NodeJS.Timeout | undefined;
    const frame = await new Promise<readonly unknown[]>((resolve) => {
      this.#answered = resolve;
      late = setTimeout(() => resolve([`no answer within ${PATIENCE_MS} ms`]), PATIENCE_MS);
      if (this.#end !== undefined) resolve(this.#end);
      this.#socket.frame(JSON.stringify([2, id, action, payload]));
    });
    clearTimeout(late);
    this.slowestMs = Math.max(this.slowestMs, performance.now() - startedMs);
    if (frame[0] !== 3 || frame[1] !== id) {
      this.findings.push(`the honest station's ${action} came to ${JSON.stringify(frame)}`);
    }
  }
}
