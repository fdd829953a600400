/** What a soak is asked for. */
export interface SoakOptions {
  readonly minutes: number;
  readonly stations: number;
  /** Decides faults, their order and their moments. */
  readonly seed: number;
  /** Seconds between two ledgers. */
  readonly reportS: number;
}

const presets: SoakOptions = { minutes: 60, stations: 50, seed: 1, reportS: 60 };

const flags: Readonly<Record<string, keyof SoakOptions>> = {
  "--minutes": "minutes",
  "--stations": "stations",
  "--seed": "seed",
  "--report-seconds": "reportS",
};

/**
 * Reads the arguments of `npm run soak`.
 *
 * @throws RangeError that says which argument is wrong
 */
export function soakOptions(args: readonly string[]): SoakOptions {
  const options = { ...presets };
  for (let index = 0; index < args.length; index += 2) {
    const flag = args[index] ?? "";
    const name = flags[flag];
    if (name === undefined) throw new RangeError(`there is no ${flag}; there are ${Object.keys(flags).join(", ")}`);
    const value = Number(args[index + 1] ?? Number.NaN);
    if (!(value > 0) || (name !== "minutes" && !Number.isInteger(value))) {
      throw new RangeError(`${flag} must be followed by a number above 0`);
    }
    options[name] = value;
  }
  return options;
}
