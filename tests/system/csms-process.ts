import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { adminToken } from "./running-csms.ts";

const command = fileURLToPath(new URL("../../packages/polyphase/dist/main.js", import.meta.url));

/** Where operating systems take no port from for who does not care which: 10,240 to 32,767. */
const CHOSEN_PORTS = { from: 10_240, count: 22_528 } as const;

/**
 * A port of the loopback interface that nothing listens on, and that stays free while its owner is away: nobody is
 * given it by chance, as a listener on port 0 or as the near end of a connection.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = CHOSEN_PORTS.from + randomInt(CHOSEN_PORTS.count);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false)).listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!isFree) continue;
    server.close();
    await once(server, "close");
    return port;
  }
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
    const before = this.#output.length;
    await new Promise<void>((resolve, reject) => {
      const read = (chunk: Buffer): void => {
        this.#output += chunk.toString();
        // A line may come in pieces.
        if (/^ready$/m.test(this.#output.slice(before))) resolve();
      };
      child.stdout?.on("data", read);
      child.stderr?.on("data", read);
      // Not when it has ended, but when all that it wrote was read as well.
      child.once("close", (code, signal) => {
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
