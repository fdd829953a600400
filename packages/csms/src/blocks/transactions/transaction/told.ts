/** A value with the place in the transaction's order of the event that told it: `orderOf` of that event. */
export interface Told<Value> {
  readonly order: number;
  readonly value: Value;
}

/** Facts with the event that told each. */
export type ToldFacts<Facts, Fact extends keyof Facts> = { [Key in Fact]?: Told<NonNullable<Facts[Key]>> };

/**
 * Whether a value replaces the known one where the latest is right. Events in one place of the order (a station that
 * counts wrongly) are told apart by what they say.
 */
export function isLater<Value>(known: Told<Value> | undefined, order: number, value: Value): boolean {
  if (known === undefined || order > known.order) return true;
  return order === known.order && JSON.stringify(value) > JSON.stringify(known.value);
}

/** Whether a value replaces the known one where the first is right; those in one place are told apart as above. */
export function isEarlier<Value>(known: Told<Value> | undefined, order: number, value: Value): boolean {
  if (known === undefined || order < known.order) return true;
  return order === known.order && JSON.stringify(value) > JSON.stringify(known.value);
}

/** Keeps a fact of which the latest event that tells it is right. */
export function keepLatest<Fact extends string, Value>(
  kept: { [Key in Fact]?: Told<Value> },
  fact: Fact,
  order: number,
  value: Value | undefined,
): void {
  if (value !== undefined && isLater(kept[fact], order, value)) kept[fact] = { order, value };
}

/** Keeps a fact of which the first event that tells it is right. */
export function keepEarliest<Fact extends string, Value>(
  kept: { [Key in Fact]?: Told<Value> },
  fact: Fact,
  order: number,
  value: Value | undefined,
): void {
  if (value !== undefined && isEarlier(kept[fact], order, value)) kept[fact] = { order, value };
}
