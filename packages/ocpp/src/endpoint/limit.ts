/** A limit that an endpoint was told. @throws RangeError when it is not above 0 */
export function positiveLimit(name: string, value: number): number {
  if (!(value > 0)) throw new RangeError(`${name} must be above 0`);
  return value;
}
