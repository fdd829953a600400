import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { CsmsProcess } from "../../tests/system/csms-process.ts";
import { callApi } from "../../tests/system/running-csms.ts";

const READINESS_INTERVAL_MS = 100;

/** Resident memory in MiB of the process that started last. */
interface Life {
  readonly beganAt: number;
  beginMib: number | undefined;
  endMib: number;
}

/** `polyphase csms` with its embedded database, killed and started again, watched all the time. */
export class SoakedCsms {
  readonly process: CsmsProcess;
  readonly #dataDir: string;
  readonly #lives: Life[] = [];
  #watch: NodeJS.Timeout | undefined;
  #asking = false;
  #unreadySince: number | undefined;
  #longestOutageMs = 0;
  #starts = 0;
  #databaseKills = 0;
  #isStarting = false;
  #crashes = 0;

  private constructor(csms: CsmsProcess, dataDir: string) {
    this.process = csms;
    this.#dataDir = dataDir;
  }

  static async start(dataDir: string): Promise<SoakedCsms> {
    const csms = new SoakedCsms(await CsmsProcess.create({ POLYPHASE_DATA_DIR: dataDir }), dataDir);
    await csms.#start();
    csms.#watch = setInterval(() => void csms.#look(), READINESS_INTERVAL_MS);
    return csms;
  }

  get restarts(): number {
    return this.#starts - 1;
  }

  /** How often the process ended by itself, which it never may. */
  get crashes(): number {
    return this.#crashes;
  }

  get databaseKills(): number {
    return this.#databaseKills;
  }

  /** The longest time without readiness so far. */
  get longestOutageMs(): number {
    const running = this.#unreadySince === undefined ? 0 : performance.now() - this.#unreadySince;
    return Math.max(this.#longestOutageMs, running);
  }

  /** Memory of the process that lived longest: after its first ten seconds, and at its end. */
  get memoryMib(): { readonly begin: number; readonly end: number } {
    const known = this.#lives.filter(({ beginMib }) => beginMib !== undefined);
    const age = ({ beganAt }: Life, index: number) => (this.#lives[index + 1]?.beganAt ?? performance.now()) - beganAt;
    const longest = known.toSorted((a, b) => age(b, this.#lives.indexOf(b)) - age(a, this.#lives.indexOf(a)))[0];
    return { begin: longest?.beginMib ?? Number.NaN, end: longest?.endMib ?? Number.NaN };
  }

  /** Kills the process as a power cut would, and starts it again. */
  async killAndStart(): Promise<void> {
    if (this.#isStarting) return;
    this.#isStarting = true;
    await this.process.end("SIGKILL");
    await this.#start();
  }

  /** Kills the database server; the CSMS has to bring it back. */
  async killDatabase(): Promise<void> {
    const pid = await this.#postmaster();
    if (pid === undefined) return;
    process.kill(pid, "SIGKILL");
    this.#databaseKills += 1;
  }

  /** Calls the API until it is answered. @throws Error for an answer that is neither 2xx nor 503 */
  async ask(path: string): Promise<Readonly<Record<string, unknown>>> {
    for (;;) {
      const answer = await callApi(this.process.httpUrl, "GET", path).catch(() => undefined);
      if (answer?.status === 200) return answer.body;
      if (answer !== undefined && answer.status !== 503)
        throw new Error(`GET ${path} was answered with ${answer.status}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  /** Stops in good order. */
  async stop(): Promise<number | null> {
    clearInterval(this.#watch);
    return await this.process.end("SIGTERM");
  }

  async #start(): Promise<void> {
    this.#isStarting = true;
    await this.process.start();
    this.#isStarting = false;
    this.#starts += 1;
    this.#lives.push({ beganAt: performance.now(), beginMib: undefined, endMib: Number.NaN });
  }

  async #postmaster(): Promise<number | undefined> {
    const found = (await readdir(this.#dataDir, { recursive: true })).find((name) => name.endsWith("postmaster.pid"));
    if (found === undefined) return undefined;
    const pid = Number((await readFile(join(this.#dataDir, found), "utf8")).split("\n")[0]);
    return Number.isInteger(pid) && pid > 1 ? pid : undefined;
  }

  async #look(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    if (!this.#isStarting && !this.#isAlive()) await this.#startAfterCrash();
    const signal = AbortSignal.timeout(2_000);
    const isReady = await fetch(`${this.process.httpUrl}/health/ready`, { signal }).then(
      async (response) => {
        await response.arrayBuffer();
        return response.status === 200;
      },
      () => false,
    );
    this.#asking = false;
    if (isReady) {
      this.#longestOutageMs = this.longestOutageMs;
      this.#unreadySince = undefined;
      await this.#weigh();
    } else this.#unreadySince ??= performance.now();
  }

  #isAlive(): boolean {
    try {
      process.kill(this.process.pid ?? 0, 0);
      return true;
    } catch {
      return false;
    }
  }

  async #startAfterCrash(): Promise<void> {
    this.#crashes += 1;
    console.error(`the CSMS ended by itself; it wrote at last:\n${this.process.output.slice(-3_000)}`);
    await this.#start();
  }

  async #weigh(): Promise<void> {
    const life = this.#lives.at(-1);
    const { pid } = this.process;
    if (life === undefined || pid === undefined) return;
    const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
    const kibibytes = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? Number.NaN);
    if (Number.isNaN(kibibytes)) return;
    life.endMib = kibibytes / 1024;
    if (performance.now() - life.beganAt > 10_000) life.beginMib ??= life.endMib;
  }
}
