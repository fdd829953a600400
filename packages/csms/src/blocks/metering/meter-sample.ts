/** Signed meter data as it came; nothing here verifies it. */
export interface SignedMeterValue {
  readonly signedMeterData: string;
  readonly signingMethod?: string;
  readonly encodingMethod?: string;
  readonly publicKey?: string;
}

/**
 * One sampled value in words and units of OCPP 2.1, whatever version it came in: defaults are filled in, prefixes
 * and multipliers are applied (kWh becomes Wh, multiplier 3 becomes a thousandfold).
 */
export interface MeterSample {
  readonly measurand: string;
  /** Base unit of the value: Wh, W, VA, var, varh, A, V, Hz, Percent, Celsius, …; empty when the station tells none and the measurand implies none. */
  readonly unit: string;
  readonly context: string;
  readonly location: string;
  readonly phase?: string;
  /** Absent when the station's text is not a number; see `raw`. */
  readonly value?: number;
  /** The station's text where it is not a number: kept, shown, and never used in a total. */
  readonly raw?: string;
  readonly signedMeterValue?: SignedMeterValue;
}

/** All values that were sampled at one moment. */
export interface MeterValue {
  /** By the station's clock, in milliseconds since 1970. */
  readonly atMs: number;
  readonly samples: readonly MeterSample[];
}

/** Measurand of a value that names none (1.6 §7.31, 2.x SampledValueType). */
export const DEFAULT_MEASURAND = "Energy.Active.Import.Register";
/** Context of a value that names none. */
export const DEFAULT_CONTEXT = "Sample.Periodic";
/** Location of a value that names none. */
export const DEFAULT_LOCATION = "Outlet";

/** What a unit on the wire stands for: the base unit, and the power of ten that leads to it. */
const UNITS: Readonly<Record<string, readonly [unit: string, exponent: number]>> = {
  kWh: ["Wh", 3],
  MWh: ["Wh", 6],
  kvarh: ["varh", 3],
  kVAh: ["VAh", 3],
  kW: ["W", 3],
  MW: ["W", 6],
  kVA: ["VA", 3],
  kvar: ["var", 3],
  // 1.5 names.
  Amp: ["A", 0],
  Volt: ["V", 0],
  // The misspelling is in the schema of 1.6.
  Celcius: ["Celsius", 0],
};

/** The unit of a value that names none: only energy has a default by the text, the others follow from the measurand. */
function impliedUnit(measurand: string): string {
  if (measurand.startsWith("Energy.Reactive.")) return "varh";
  if (measurand.startsWith("Energy.Apparent.")) return "VAh";
  if (measurand.startsWith("Energy")) return "Wh";
  if (measurand === "Power.Factor") return "";
  if (measurand.startsWith("Power.Reactive.")) return "var";
  if (measurand.startsWith("Power.")) return "W";
  if (measurand.startsWith("Current.")) return "A";
  if (measurand.startsWith("Voltage")) return "V";
  if (measurand === "SoC") return "Percent";
  if (measurand === "Frequency") return "Hz";
  if (measurand === "Temperature") return "Celsius";
  return "";
}

const DECIMAL = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?\s*$/;

/**
 * Reads the text of a 1.x value. Only a plain decimal number is one: "1.234,5", "1,234", "NaN", "0x1F" and "12 kWh"
 * are not, because a guess could be wrong by a factor of a thousand.
 */
export function parseDecimal(text: string): number | undefined {
  if (!DECIMAL.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** Moves the decimal point without the error of a binary multiplication: 910.083 by 3 is 910083, not 910083.0000000001. */
export function shiftDecimal(value: number, exponent: number): number {
  if (exponent === 0 || value === 0) return value;
  const text = String(value);
  const shifted = text.includes("e") ? value * 10 ** exponent : Number(`${text}e${exponent}`);
  return Number.isFinite(shifted) ? shifted : value;
}

/** The fields of a sampled value as either family has them. */
export interface WireSample {
  readonly value: number | string;
  readonly measurand?: string | undefined;
  readonly context?: string | undefined;
  readonly location?: string | undefined;
  readonly phase?: string | undefined;
  readonly unit?: string | undefined;
  /** Power of ten of 2.x (`unitOfMeasure.multiplier`). */
  readonly multiplier?: number | undefined;
  readonly signedMeterValue?: SignedMeterValue | undefined;
}

/** Brings a sampled value of either family to its normal form. */
export function normaliseSample(wire: WireSample): MeterSample {
  const measurand = wire.measurand ?? DEFAULT_MEASURAND;
  const wireUnit = wire.unit === undefined || wire.unit === "" ? impliedUnit(measurand) : wire.unit;
  const known = UNITS[wireUnit];
  const exponent = (wire.multiplier ?? 0) + (known?.[1] ?? 0);
  const number = typeof wire.value === "number" ? wire.value : parseDecimal(wire.value);
  const sample: { -readonly [Key in keyof MeterSample]: MeterSample[Key] } = {
    measurand,
    unit: known?.[0] ?? wireUnit,
    context: wire.context ?? DEFAULT_CONTEXT,
    location: wire.location ?? DEFAULT_LOCATION,
  };
  if (number === undefined) sample.raw = String(wire.value);
  else sample.value = shiftDecimal(number, exponent);
  if (wire.phase !== undefined) sample.phase = wire.phase;
  if (wire.signedMeterValue !== undefined) sample.signedMeterValue = wire.signedMeterValue;
  return sample;
}

/** The samples as JSON text for the database: defaults of context and location are left out, because rows are many. */
export function samplesToJson(samples: readonly MeterSample[]): string {
  return JSON.stringify(samples.map(withoutDefaults));
}

// A replacer of JSON.stringify would cost several times as much, and so would deleting from a copy.
function withoutDefaults(sample: MeterSample): Partial<MeterSample> {
  const { context, location } = sample;
  if (context !== DEFAULT_CONTEXT && location !== DEFAULT_LOCATION) return sample;
  const { measurand, unit, phase, value, raw, signedMeterValue } = sample;
  return {
    measurand,
    unit,
    context: context === DEFAULT_CONTEXT ? undefined : context,
    location: location === DEFAULT_LOCATION ? undefined : location,
    value,
    raw,
    phase,
    signedMeterValue,
  } as Partial<MeterSample>;
}

/** The reverse of {@link samplesToJson}, from parsed JSON. */
export function samplesFromJson(
  stored: readonly (Omit<MeterSample, "context" | "location"> & { context?: string; location?: string })[],
): MeterSample[] {
  return stored.map((sample) => ({
    ...sample,
    context: sample.context ?? DEFAULT_CONTEXT,
    location: sample.location ?? DEFAULT_LOCATION,
  }));
}
