/** What was decided of a rule for the stations of a model. */
export interface ModelDecision {
  /** Pattern of the vendor's name as BootNotification tells it: `*` stands for any text, and case does not count. */
  readonly vendorName: string;
  /** Pattern of the model's name. */
  readonly model: string;
  readonly rule: string;
  readonly enabled: boolean;
}

/** Whether a pattern fits a name. Takes time that grows with the product of their lengths at most. */
export function fitsPattern(pattern: string, name: string): boolean {
  const [first = "", ...others] = pattern.toLowerCase().split("*");
  const text = name.toLowerCase();
  if (others.length === 0) return text === first;
  if (!text.startsWith(first)) return false;
  const last = others.pop() ?? "";
  let from = first.length;
  for (const piece of others) {
    const found = text.indexOf(piece, from);
    if (found < 0) return false;
    from = found + piece.length;
  }
  return text.length - last.length >= from && text.endsWith(last);
}

/** Resolved models that are remembered; names come from stations and have no end. */
const mostResolved = 1_000;

/** Decisions by model. Of several that fit, the one with most characters that are no asterisk counts. */
export class ModelDecisions {
  readonly #decisions = new Map<string, ModelDecision>();
  readonly #resolved = new Map<string, ReadonlyMap<string, boolean>>();

  get isEmpty(): boolean {
    return this.#decisions.size === 0;
  }

  /** All decisions, by vendor, model and rule. */
  all(): readonly ModelDecision[] {
    return [...this.#decisions.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }

  /** Takes a decision in the place of one about the same patterns and rule. */
  set(decision: ModelDecision): void {
    this.#decisions.set(keyOf(decision), decision);
    this.#resolved.clear();
  }

  /** Takes a decision back. */
  delete(decision: Omit<ModelDecision, "enabled">): void {
    this.#decisions.delete(keyOf(decision));
    this.#resolved.clear();
  }

  /** What was decided of a rule for a model; undefined when nothing was. */
  decided(vendorName: string, model: string, rule: string): boolean | undefined {
    // The length tells where one name ends; this is asked for messages that break no rule, too.
    const key = `${vendorName.length} ${vendorName}${model}`;
    let resolved = this.#resolved.get(key);
    if (resolved === undefined) {
      if (this.#resolved.size >= mostResolved) this.#resolved.clear();
      resolved = this.#resolve(vendorName, model);
      this.#resolved.set(key, resolved);
    }
    return resolved.get(rule);
  }

  #resolve(vendorName: string, model: string): ReadonlyMap<string, boolean> {
    const fitting = this.all().filter(
      (decision) => fitsPattern(decision.vendorName, vendorName) && fitsPattern(decision.model, model),
    );
    fitting.sort((a, b) => exactness(a) - exactness(b));
    return new Map(fitting.map(({ rule, enabled }) => [rule, enabled]));
  }
}

const keyOf = ({ vendorName, model, rule }: Omit<ModelDecision, "enabled">) =>
  JSON.stringify([vendorName.toLowerCase(), model.toLowerCase(), rule]);

const exactness = ({ vendorName, model }: ModelDecision) => (vendorName + model).replaceAll("*", "").length;
