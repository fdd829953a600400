import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { holding } from "./leftovers.ts";

/** The path of a file beside this one. */
export const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** A process of the benchmark that is told what to do over its channel, one thing at a time. */
export class BenchProcess {
  readonly #child: ChildProcess;
  readonly #kill: () => Promise<void>;
  readonly #arrived: unknown[] = [];
  #awaited: { resolve(message: unknown): void; reject(error: Error): void } | undefined;
  #ended: Error | undefined;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#kill = holding(() => void child.kill("SIGKILL"));
    child.on("message", (message) => {
      const awaited = this.#awaited;
      this.#awaited = undefined;
      if (awaited === undefined) this.#arrived.push(message);
      else awaited.resolve(message);
    });
    child.once("exit", (code, signal) => {
      this.#ended = new Error(`a process of the benchmark ended with ${code ?? signal}`);
      this.#awaited?.reject(this.#ended);
      this.end();
    });
  }

  /** Starts a script beside this file with a setting, and waits for its first message, which is returned with it. */
  static async start<Started>(script: string, setting: unknown): Promise<readonly [BenchProcess, Started]> {
    const child = fork(here(script), [JSON.stringify(setting)], { execArgv: ["--import", "tsx"] });
    const process = new BenchProcess(child);
    return [process, (await process.#next()) as Started];
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Sends an order and resolves with the answer to it. @throws Error when the process ends before */
  async ask<Answer>(order: unknown): Promise<Answer> {
    this.#child.send(order as object);
    return (await this.#next()) as Answer;
  }

  /** Ends it at once. */
  end(): void {
    void this.#kill();
  }

  #next(): Promise<unknown> {
    if (this.#arrived.length > 0) return Promise.resolve(this.#arrived.shift());
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#awaited = { resolve, reject };
    });
  }
}

/**
 * The other side of {@link BenchProcess}: tells that this process is ready and answers each order. The process ends
 * when its parent does.
 */
export function serveOrders<Order>(started: unknown, answer: (order: Order) => Promise<unknown>): void {
  process.on("message", (order) => {
    answer(order as Order).then(
      (result) => process.send?.(result ?? null),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
  process.on("disconnect", () => process.exit(0));
  process.send?.(started ?? null);
}

/** The setting that {@link BenchProcess.start} was given. */
export function givenSetting<Setting>(): Setting {
  return JSON.parse(process.argv[2] ?? "null") as Setting;
}
