// Load against a CSMS, in a process of its own: stations that start a transaction each and then send durable
// TransactionEvents, one outstanding CALL per station, until the time is over.
import { WebSocket } from "ws";

/** What the load saw, sent to the parent process. */
export interface LoadReport {
  readonly events: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const [url = "", stationsText = "", secondsText = "", perSecondText = ""] = process.argv.slice(2);
const stations = Number(stationsText);
const durationMs = Number(secondsText) * 1_000;
/** Events per second of all stations together; 0 for as many as are answered. */
const perSecond = Number(perSecondText);

interface Station {
  readonly socket: WebSocket;
  readonly transactionId: string;
  seqNo: number;
  sentAt: number;
  answered: ((text: string) => void) | undefined;
}

const latencies: number[] = [];

function frame(station: Station, eventType: "Started" | "Updated"): string {
  const timestamp = new Date().toISOString();
  const sampledValue = [
    { value: 1_000 + station.seqNo * 7, measurand: "Energy.Active.Import.Register", unitOfMeasure: { unit: "Wh" } },
    { value: 11_040.5, measurand: "Power.Active.Import", unitOfMeasure: { unit: "W" } },
    { value: 16.02, measurand: "Current.Import", phase: "L1", unitOfMeasure: { unit: "A" } },
  ];
  const payload = {
    eventType,
    timestamp,
    triggerReason: eventType === "Started" ? "CablePluggedIn" : "MeterValuePeriodic",
    seqNo: station.seqNo,
    transactionInfo: { transactionId: station.transactionId, chargingState: "Charging" },
    evse: { id: 1, connectorId: 1 },
    meterValue: [{ timestamp, sampledValue }],
  };
  return JSON.stringify([2, `${station.seqNo++}`, "TransactionEvent", payload]);
}

function call(station: Station, text: string): Promise<string> {
  return new Promise((resolve) => {
    station.answered = resolve;
    station.sentAt = performance.now();
    station.socket.send(text);
  });
}

function expectResult(text: string): void {
  if (!text.startsWith("[3,")) throw new Error(`the CSMS answered ${text.slice(0, 300)}`);
}

async function connect(index: number): Promise<Station> {
  const socket = new WebSocket(`${url}/BENCH-${index}`, ["ocpp2.0.1"], { perMessageDeflate: false });
  await new Promise<void>((resolve, reject) => {
    socket.once("open", () => resolve());
    socket.once("error", reject);
  });
  const transactionId = `${process.pid}-${index}-${Date.now()}`;
  const station: Station = { socket, transactionId, seqNo: 0, sentAt: 0, answered: undefined };
  socket.on("message", (data) => {
    const text = String(data);
    // Commands of the CSMS, such as asking for the inventory, are not what is measured.
    if (text.startsWith("[2,")) socket.send(JSON.stringify([4, JSON.parse(text)[1], "NotSupported", "", {}]));
    else station.answered?.(text);
  });
  const boot = { reason: "PowerUp", chargingStation: { vendorName: "Bench", model: "B" } };
  expectResult(await call(station, JSON.stringify([2, "boot", "BootNotification", boot])));
  expectResult(await call(station, frame(station, "Started")));
  return station;
}

async function drive(station: Station, until: number, index: number): Promise<void> {
  const intervalMs = perSecond === 0 ? 0 : (stations / perSecond) * 1_000;
  let due = performance.now() + intervalMs * (index / stations);
  while (performance.now() < until) {
    if (intervalMs > 0) {
      const waitMs = due - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      due += intervalMs;
    }
    expectResult(await call(station, frame(station, "Updated")));
    latencies.push(performance.now() - station.sentAt);
  }
}

const fleet: Station[] = [];
for (let index = 0; index < stations; index += 50) {
  const group = Array.from({ length: Math.min(50, stations - index) }, (_, offset) => connect(index + offset));
  fleet.push(...(await Promise.all(group)));
}
process.send?.("connected");
await new Promise((resolve) => process.once("message", resolve));
const begin = performance.now();
await Promise.all(fleet.map((station, index) => drive(station, begin + durationMs, index)));
const seconds = (performance.now() - begin) / 1_000;
latencies.sort((a, b) => a - b);
const percentile = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? Number.NaN;
const report: LoadReport = { events: latencies.length, seconds, p50Ms: percentile(0.5), p99Ms: percentile(0.99) };
process.send?.(report, () => process.exit(0));
