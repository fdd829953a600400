import type { Journal } from "../storage/journal.ts";
import { defaultSettings, type Settings } from "./settings.ts";

/** A station's settings with their memory, and the plain values that no behaviour depends on. */
export class ConfigurationStore {
  readonly #journal: Journal;
  readonly #values: Settings;
  readonly #stored: Record<string, string>;
  readonly #changed: Record<string, unknown>;
  readonly #onChange: (name: keyof Settings) => void;

  /**
   * @param initial differ from what stations are delivered with; what the journal remembers wins over both
   * @param onChange told after a setting got a new value
   */
  constructor(journal: Journal, initial: Partial<Settings>, onChange: (name: keyof Settings) => void) {
    this.#journal = journal;
    this.#onChange = onChange;
    this.#changed = { ...(journal.get("settings") as Record<string, unknown> | undefined) };
    this.#stored = { ...(journal.get("values") as Record<string, string> | undefined) };
    this.#values = { ...defaultSettings(), ...initial, ...(this.#changed as Partial<Settings>) };
  }

  /** The settings now. */
  get settings(): Readonly<Settings> {
    return this.#values;
  }

  /** Changes a setting and remembers it across restarts. */
  change<K extends keyof Settings>(name: K, value: Settings[K]): void {
    if (JSON.stringify(this.#values[name]) === JSON.stringify(value)) return;
    this.#values[name] = value;
    this.#changed[name] = value;
    this.#journal.write({ set: { settings: this.#changed } });
    this.#onChange(name);
  }

  /** A value that is kept and reported but changes no behaviour. */
  stored(name: string): string | undefined {
    return this.#stored[name];
  }

  /** Keeps such a value across restarts. */
  store(name: string, value: string): void {
    this.#stored[name] = value;
    this.#journal.write({ set: { values: this.#stored } });
  }
}
