/** Runs something later; a parameter so that tests decide when later is. */
export interface Timers {
  /** Runs `task` once after `delayMs`. Returns the function that prevents it. */
  after(delayMs: number, task: () => void): () => void;
}

/** The machine's timers. They do not keep the process alive. */
export const systemTimers: Timers = {
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
