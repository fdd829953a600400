import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { adminToken } from "./running-csms.ts";

const command = fileURLToPath(new URL("../../packages/polyphase/dist/main.js", import.meta.url));

/** A port of the loopback interface that nothing listened on a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("the probe of a free port has no port");
  return address.port;
}

/** `polyphase csms` as a process of its own, which can be killed. */
export class CsmsProcess {
  readonly httpUrl: string;
  readonly ocppPort: number;
  readonly #settings: Readonly<Record<string, string>>;
  readonly #openFiles: number | undefined;
  #child: ChildProcess | undefined;
  #output = "";

  private constructor(
    ocppPort: number,
    httpPort: number,
    settings: Readonly<Record<string, string>>,
    openFiles: number | undefined,
  ) {
    this.ocppPort = ocppPort;
    this.#openFiles = openFiles;
    this.httpUrl = `http://127.0.0.1:${httpPort}`;
    this.#settings = {
      POLYPHASE_OCPP_PORT: String(ocppPort),
      POLYPHASE_HTTP_PORT: String(httpPort),
      POLYPHASE_ADMIN_TOKEN: adminToken,
      POLYPHASE_UNKNOWN_STATIONS: "accept",
      POLYPHASE_LOG_LEVEL: "warn",
      ...settings,
    };
  }

  /**
   * Chooses ports; nothing runs yet. `settings` are variables of the environment; `openFiles` bounds the file
   * descriptors that the process may have at a time.
   */
  static async create(
    settings: Readonly<Record<string, string>>,
    { openFiles }: { readonly openFiles?: number } = {},
  ): Promise<CsmsProcess> {
    if (!existsSync(command)) throw new Error("the command is not compiled: run `npm run build` first");
    return new CsmsProcess(await freePort(), await freePort(), settings, openFiles);
  }

  /** Id of the process that started last. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Everything the process has written. */
  get output(): string {
    return this.#output;
  }

  /** Starts the process and resolves when it says that it is ready. @throws Error with its output when it ends before */
  async start(...args: readonly string[]): Promise<void> {
    const [program, ...words] = this.#limited([process.execPath, command, "csms", ...args]);
    const child = spawn(program, words, {
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...this.#settings },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    await new Promise<void>((resolve, reject) => {
      const read = (chunk: Buffer): void => {
        this.#output += chunk.toString();
        if (/^ready$/m.test(chunk.toString())) resolve();
      };
      child.stdout?.on("data", read);
      child.stderr?.on("data", read);
      child.once("exit", (code, signal) => {
        reject(new Error(`the CSMS ended with ${code ?? signal} before it was ready:\n${this.#output}`));
      });
    });
  }

  /** A command line, and where files are bounded one of a shell that becomes the process. */
  #limited(line: readonly [string, ...string[]]): readonly [string, ...string[]] {
    if (this.#openFiles === undefined) return line;
    return ["/bin/sh", "-c", `ulimit -n ${this.#openFiles} && exec "$0" "$@"`, ...line];
  }

  /** Starts the process and resolves with its exit code when it ends by itself. */
  async startAndFail(...args: readonly string[]): Promise<number | null> {
    await this.start(...args).then(
      () => {
        throw new Error("the CSMS started");
      },
      () => undefined,
    );
    return this.#child?.exitCode ?? null;
  }

  /** Ends the process by a signal and resolves with its exit code (null when the signal killed it). */
  async end(signal: "SIGTERM" | "SIGINT" | "SIGKILL"): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
    return child.exitCode;
  }
}
