/** Runs the tasks of one key one after the other, and those of different keys side by side. */
export class SerialTasks {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Resolves or rejects as the task does; an earlier task's failure does not matter. */
  async run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const result = before === undefined ? task() : before.then(task, task);
    this.#last.set(key, result);
    try {
      return await result;
    } finally {
      if (this.#last.get(key) === result) this.#last.delete(key);
    }
  }
}
