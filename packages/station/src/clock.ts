/** A timer that has not fired yet. */
export interface Timer {
  /** Forgets the timer; nothing happens when it has fired already. */
  cancel(): void;
}

/** The simulated time of a station, in milliseconds since 1970. */
export interface Clock {
  /** The simulated time now. Never goes back. */
  now(): number;
  /** Calls back once, `delayMs` of simulated time from now. */
  setTimer(delayMs: number, callback: () => void): Timer;
}

/** The real time and timers that a {@link ScaledClock} runs on. */
export interface RealTime {
  now(): number;
  /** Calls back once after `delayMs`; returns how to cancel. */
  setTimer(delayMs: number, callback: () => void): () => void;
}

/** The machine's own time. */
export const realTime: RealTime = {
  now: () => Date.now(),
  setTimer(delayMs, callback) {
    const handle = setTimeout(callback, delayMs);
    return () => clearTimeout(handle);
  },
};

interface Entry {
  readonly due: number;
  readonly order: number;
  callback: (() => void) | undefined;
}

/** Timers ordered by due time, then by the order in which they were set: a binary heap, so that fleets stay cheap. */
class TimerHeap {
  readonly #entries: Entry[] = [];
  #order = 0;

  add(due: number, callback: () => void): Entry {
    const entry: Entry = { due, order: this.#order++, callback };
    this.#entries.push(entry);
    this.#rise(this.#entries.length - 1);
    return entry;
  }

  /** The next live timer; cancelled ones are dropped on the way. */
  first(): Entry | undefined {
    let entry = this.#entries[0];
    while (entry !== undefined && entry.callback === undefined) {
      this.#removeFirst();
      entry = this.#entries[0];
    }
    return entry;
  }

  takeDue(now: number): Entry | undefined {
    const entry = this.first();
    if (entry === undefined || entry.due > now) return undefined;
    this.#removeFirst();
    return entry;
  }

  #removeFirst(): void {
    const last = this.#entries.pop();
    if (last === undefined || this.#entries.length === 0) return;
    this.#entries[0] = last;
    this.#sink(0);
  }

  #before(left: number, right: number): boolean {
    const a = this.#entries[left];
    const b = this.#entries[right];
    if (a === undefined || b === undefined) return false;
    return a.due < b.due || (a.due === b.due && a.order < b.order);
  }

  #swap(left: number, right: number): void {
    const a = this.#entries[left];
    const b = this.#entries[right];
    if (a === undefined || b === undefined) return;
    this.#entries[left] = b;
    this.#entries[right] = a;
  }

  #rise(index: number): void {
    let child = index;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!this.#before(child, parent)) return;
      this.#swap(child, parent);
      child = parent;
    }
  }

  #sink(index: number): void {
    let parent = index;
    for (;;) {
      let smallest = 2 * parent + 1;
      if (smallest >= this.#entries.length) return;
      if (this.#before(smallest + 1, smallest)) smallest++;
      if (!this.#before(smallest, parent)) return;
      this.#swap(smallest, parent);
      parent = smallest;
    }
  }
}

const noTimer: Timer = { cancel() {} };

function timerOf(entry: Entry, onCancel?: () => void): Timer {
  return {
    cancel() {
      if (entry.callback === undefined) return;
      entry.callback = undefined;
      onCancel?.();
    },
  };
}

/** How a {@link ScaledClock} runs. */
export interface ScaledClockOptions {
  /** Simulated seconds per real second; 1 by default, must be above 0. */
  readonly scale?: number;
  /** Simulated time at the start, in milliseconds since 1970; the real time by default. */
  readonly startAt?: number;
  /** From the moment the simulated time has caught up with the real time, run at its pace. */
  readonly untilPresent?: boolean;
  readonly real?: RealTime;
}

/** The longest delay that Node's timers take. */
const LONGEST_DELAY_MS = 2_147_483_647;

/**
 * Simulated time that runs a constant factor faster (or slower) than real time. One real timer serves all
 * simulated ones, so one clock can be shared by thousands of stations.
 */
export class ScaledClock implements Clock {
  readonly scale: number;
  readonly #real: RealTime;
  readonly #startReal: number;
  readonly #startAt: number;
  readonly #untilPresent: boolean;
  readonly #timers = new TimerHeap();
  #latest: number;
  #armedFor = Number.POSITIVE_INFINITY;
  #disarm: (() => void) | undefined;
  #stopped = false;

  /** @throws RangeError when the scale is not above 0 */
  constructor(options: ScaledClockOptions = {}) {
    const scale = options.scale ?? 1;
    if (!(scale > 0) || !Number.isFinite(scale)) throw new RangeError(`a time scale must be above 0, not ${scale}`);
    this.scale = scale;
    this.#real = options.real ?? realTime;
    this.#startReal = this.#real.now();
    this.#startAt = options.startAt ?? this.#startReal;
    this.#latest = this.#startAt;
    this.#untilPresent = options.untilPresent ?? false;
  }

  now(): number {
    const real = this.#real.now();
    let now = this.#startAt + (real - this.#startReal) * this.scale;
    if (this.#untilPresent && this.scale > 1 && now > real) now = real;
    if (now > this.#latest) this.#latest = now;
    return this.#latest;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    if (this.#stopped) return noTimer;
    const entry = this.#timers.add(this.now() + Math.max(0, delayMs), callback);
    this.#arm();
    return timerOf(entry);
  }

  /** Forgets all timers, so that the process can end. */
  stop(): void {
    this.#stopped = true;
    this.#disarm?.();
    this.#disarm = undefined;
  }

  #arm(): void {
    const first = this.#timers.first();
    if (this.#stopped || first === undefined || first.due >= this.#armedFor) return;
    this.#disarm?.();
    this.#armedFor = first.due;
    const delayMs = Math.ceil(this.#realDelayMs(first.due));
    this.#disarm = this.#real.setTimer(Math.min(LONGEST_DELAY_MS, Math.max(0, delayMs)), () => this.#fire());
  }

  #realDelayMs(due: number): number {
    const scaled = (due - this.now()) / this.scale;
    if (!this.#untilPresent || this.scale <= 1) return scaled;
    // Past the meeting point the clock runs at the pace of real time.
    return Math.max(scaled, due - this.#real.now());
  }

  #fire(): void {
    this.#disarm = undefined;
    this.#armedFor = Number.POSITIVE_INFINITY;
    const now = this.now();
    for (let entry = this.#timers.takeDue(now); entry !== undefined; entry = this.#timers.takeDue(now)) {
      const callback = entry.callback;
      entry.callback = undefined;
      try {
        callback?.();
      } catch (error) {
        throwLater(error);
      }
      if (this.#stopped) return;
    }
    this.#arm();
  }
}

/** Lets an error reach the process without holding up the timers of other stations. */
function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

/** Time that stands still until a test moves it. */
export class ManualClock implements Clock {
  readonly #timers = new TimerHeap();
  readonly #settle: () => Promise<void>;
  #now: number;

  /**
   * @param startAt simulated time at the start, in milliseconds since 1970
   * @param settle waited for after every timer, so that what it started can go on; one turn of the event loop by default
   */
  constructor(startAt = Date.UTC(2030, 0, 1), settle: () => Promise<void> = turnOfEventLoop) {
    this.#now = startAt;
    this.#settle = settle;
  }

  now(): number {
    return this.#now;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    return timerOf(this.#timers.add(this.#now + Math.max(0, delayMs), callback));
  }

  /** Lets `durationMs` pass: timers fire in order, each at its own time. */
  async advance(durationMs: number): Promise<void> {
    const end = this.#now + durationMs;
    await this.#settle();
    for (let entry = this.#timers.takeDue(end); entry !== undefined; entry = this.#timers.takeDue(end)) {
      this.#now = Math.max(this.#now, entry.due);
      const callback = entry.callback;
      entry.callback = undefined;
      callback?.();
      await this.#settle();
    }
    this.#now = end;
  }
}

function turnOfEventLoop(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
