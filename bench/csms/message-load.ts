// Stations that send one kind of message over WebSocket again and again, in a process of their own.
import { givenSetting, serveOrders } from "./child-process.ts";
import { type CallOnce, type LoadOrder, runLoad } from "./closed-loop.ts";
import { StationSocket } from "./station-socket.ts";
import { passwordOf, type Workload, workloads } from "./workloads.ts";

/** What the load is to be. */
export interface MessageLoadSetting {
  readonly port: number;
  readonly workload: Workload["name"];
  readonly stations: number;
  /** In front of the number of each station. */
  readonly prefix: string;
  /** Whether the stations show their password: security profile 1. */
  readonly withPassword: boolean;
}

const setting = givenSetting<MessageLoadSetting>();

class LoadStation {
  readonly #socket: StationSocket;
  readonly #workload: Workload;
  readonly #state;
  #answered: (text: string) => void = () => {};
  #failed: (error: Error) => void = () => {};
  #calls = 0;

  constructor(socket: StationSocket, workload: Workload, transactionId: string) {
    this.#socket = socket;
    this.#workload = workload;
    this.#state = { transactionId, csmsTransactionId: 0, seqNo: 0 };
    socket.onText = (text) => this.#receive(text);
    socket.onClose = () => this.#failed(new Error("the connection was closed"));
  }

  async start(): Promise<void> {
    await this.#call("BootNotification", this.#workload.boot);
    const started = this.#workload.start?.(this.#state);
    if (started === undefined) return;
    const answer = await this.#call(...started);
    this.#state.csmsTransactionId = (JSON.parse(answer)[2] as { transactionId?: number }).transactionId ?? 0;
  }

  readonly callOnce: CallOnce = async () => {
    await this.#call(...this.#workload.next(this.#state));
  };

  #call(action: string, payload: object): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#answered = resolve;
      this.#failed = reject;
      this.#socket.send(`[2,"${this.#calls++}","${action}",${JSON.stringify(payload)}]`);
    });
  }

  #receive(text: string): void {
    if (text.startsWith("[3,")) this.#answered(text);
    // Commands of the CSMS, such as asking for the inventory, are not what is measured.
    else if (text.startsWith("[2,"))
      this.#socket.send(JSON.stringify([4, JSON.parse(text)[1], "NotSupported", "", {}]));
    else this.#failed(new Error(`the CSMS answered ${text.slice(0, 300)}`));
  }
}

async function connect(index: number, workload: Workload): Promise<LoadStation> {
  const identity = `${setting.prefix}${index}`;
  const password = setting.withPassword ? passwordOf(identity) : undefined;
  const { port } = setting;
  const socket = await StationSocket.connect({ port, identity, subprotocol: workload.subprotocol, password });
  const station = new LoadStation(socket, workload, `${process.pid}-${index}-${Date.now()}`);
  await station.start();
  return station;
}

const workload = workloads.find(({ name }) => name === setting.workload);
if (workload === undefined) throw new Error(`there is no workload ${setting.workload}`);
const fleet: LoadStation[] = [];
for (let index = 0; index < setting.stations; index += 50) {
  const size = Math.min(50, setting.stations - index);
  fleet.push(...(await Promise.all(Array.from({ length: size }, (_, offset) => connect(index + offset, workload)))));
}
const stations = fleet.map(({ callOnce }) => callOnce);
serveOrders<LoadOrder>({ connected: fleet.length }, (order) => runLoad(stations, order));
