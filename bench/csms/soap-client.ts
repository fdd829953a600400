import { connect, type Socket } from "node:net";
import { envelope, type SoapLoadVersion } from "./soap-envelopes.ts";
import { basicHeader } from "./station-socket.ts";

/** A station of OCPP-S that keeps its HTTP connection, with as little work of its own as can be. */
export class SoapClient {
  readonly version: SoapLoadVersion;
  readonly #identity: string;
  readonly #head: string;
  readonly #socket: Socket;
  #received = "";
  #answered: (envelope: string) => void = () => {};
  #failed: (error: Error) => void = () => {};
  #messages = 0;

  private constructor(version: SoapLoadVersion, identity: string, head: string, socket: Socket) {
    this.version = version;
    this.#identity = identity;
    this.#head = head;
    this.#socket = socket;
    // One byte per character, so that lengths are those of the headers; all that is looked at is ASCII.
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => this.#receive(chunk));
    socket.on("close", () => this.#failed(new Error("the HTTP connection was closed")));
  }

  /** @throws the error of the socket */
  static async connect(
    port: number,
    version: SoapLoadVersion,
    identity: string,
    password?: string,
  ): Promise<SoapClient> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve).once("error", reject);
    });
    socket.on("error", () => {});
    const head =
      `POST /ocpp/soap HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/soap+xml; charset=utf-8\r\n` +
      `${password === undefined ? "" : basicHeader(identity, password)}Content-Length: `;
    return new SoapClient(version, identity, head, socket);
  }

  /** Resolves with the envelope of the response. @throws Error for a Fault, and when the connection is lost */
  call(action: string, body: string): Promise<string> {
    const text = envelope(this.version, this.#identity, action, `${this.#identity}-${this.#messages++}`, body);
    return new Promise((resolve, reject) => {
      this.#answered = resolve;
      this.#failed = reject;
      this.#socket.write(`${this.#head}${Buffer.byteLength(text)}\r\n\r\n${text}`);
    });
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  #receive(chunk: string): void {
    this.#received += chunk;
    const end = this.#received.indexOf("\r\n\r\n");
    if (end < 0) return;
    const length = Number(/^content-length: *(\d+)/im.exec(this.#received)?.[1]);
    if (this.#received.length < end + 4 + length) return;
    const status = this.#received.slice(9, 12);
    const body = this.#received.slice(end + 4, end + 4 + length);
    this.#received = this.#received.slice(end + 4 + length);
    if (status === "200") this.#answered(body);
    else this.#failed(new Error(`the CSMS answered ${status}: ${body.slice(0, 600)}`));
  }
}
