import { connect } from "node:net";
import { WebSocket } from "ws";

/** What nobody should send, as texts of a WebSocket. */
const frames: readonly ((text: string) => string)[] = [
  () => "",
  () => "\u0000\u0000",
  () => "[2,",
  () => "null",
  () => "[]",
  (text) => `[2,"${text}","BootNotification"]`,
  (text) => `[2,"${text}","NoSuchAction",{}]`,
  (text) => `[2,"${text.repeat(200)}","Heartbeat",{}]`,
  (text) => `[3,"${text}",{"status":"Accepted"}]`,
  (text) => `[4,"${text}","NoSuchCode","",null]`,
  (text) =>
    `[2,"${text}","StartTransaction",{"connectorId":-1,"idTag":"${text}","meterStart":1e400,"timestamp":"never"}]`,
  (text) => `[2,"${text}","StopTransaction",{"transactionId":1,"meterStop":-7,"timestamp":"0001-01-01T00:00:00Z"}]`,
  (text) => `[2,"${text}","MeterValues",{"connectorId":1,"meterValue":[]}]`,
  (text) => `[2,"${text}","DataTransfer",{"vendorId":"'; drop table station; --","data":"${text}"}]`,
  (text) => `[2,"${text}","DataTransfer",{"vendorId":"v","data":"${"x".repeat(200_000)}"}]`,
  (text) => `[2,"${text}","Heartbeat",${"[".repeat(5_000)}${"]".repeat(5_000)}]`,
];

const requests: readonly string[] = [
  "GET / HTTP/9.9\r\n\r\n",
  "\u0016\u0003\u0001\u0002\u0000\u0001\u0000",
  "POST /ocpp/soap HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n<!DOCTYPE a [<!ENT",
  "GET /ocpp/..%2f..%2fetc HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
  `GET /ocpp/${"A".repeat(9_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
];

/** Sends hostile frames over a connection of its own, which the CSMS may close whenever it wants. */
export class HostileVisitor {
  readonly #ocppPort: number;
  readonly #random: () => number;
  #sent = 0;

  constructor(ocppPort: number, random: () => number) {
    this.#ocppPort = ocppPort;
    this.#random = random;
  }

  /** How much it has sent. */
  get sent(): number {
    return this.#sent;
  }

  /** One visit: some frames over a WebSocket, or bytes that are no HTTP. Never throws. */
  async visit(): Promise<void> {
    if (this.#random() < 0.3) await this.#sendBytes();
    else await this.#sendFrames();
  }

  #pick<Item>(items: readonly Item[]): Item | undefined {
    return items[Math.floor(this.#random() * items.length)];
  }

  #sendFrames(): Promise<void> {
    const identity = `HOSTILE-${Math.floor(this.#random() * 5)}`;
    const socket = new WebSocket(`ws://127.0.0.1:${this.#ocppPort}/ocpp/${identity}`, ["ocpp1.6"], {
      handshakeTimeout: 2_000,
    });
    return new Promise((resolve) => {
      const end = setTimeout(() => socket.terminate(), 2_000);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        clearTimeout(end);
        resolve();
      });
      socket.on("open", () => {
        for (let count = 0; count < 20; count++) {
          socket.send(this.#pick(frames)?.(`h${this.#sent}`) ?? "");
          this.#sent += 1;
        }
        socket.send(Buffer.from([0xff, 0x00, 0xfe]));
      });
    });
  }

  #sendBytes(): Promise<void> {
    const socket = connect({ port: this.#ocppPort, host: "127.0.0.1" });
    socket.setTimeout(1_000, () => socket.destroy());
    socket.on("error", () => undefined);
    socket.on("data", () => undefined);
    socket.on("connect", () => {
      socket.write(this.#pick(requests) ?? "");
      this.#sent += 1;
    });
    return new Promise((resolve) => socket.on("close", () => resolve()));
  }
}
