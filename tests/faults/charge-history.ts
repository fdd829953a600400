import fc from "fast-check";

/** One event of a charge, as it really happened. */
export interface Happening {
  /** Minutes since the history began. */
  readonly minute: number;
  /** What the meter of the EVSE showed, where the event tells it. */
  readonly registerWh: number | undefined;
  readonly chargingState: string | undefined;
  /** Whether its message is lost for ever. */
  readonly isLost: boolean;
}

/** How a charge's meter tells energy. */
export interface MeterForm {
  readonly unit: "Wh" | "kWh" | "milli-kWh";
  readonly series: "total" | "phases" | "both";
  /** Whether the first and last values are marked as those of begin and end. */
  readonly hasEdges: boolean;
}

/** A charge on an EVSE: its first happening is the start and its last the end. */
export interface Charge {
  readonly evseId: number;
  readonly name: string;
  readonly idToken: string;
  /** Place of the happening that tells the token. */
  readonly tokenAt: number;
  readonly stopToken: string | undefined;
  readonly stoppedReason: string | undefined;
  readonly meter: MeterForm;
  readonly happenings: readonly Happening[];
}

/** Growth within one moment stays below what a coarse register steps by. */
const stepsOfTime = fc.oneof(
  { weight: 1, arbitrary: fc.record({ minutes: fc.constant(0), grownWh: fc.nat({ max: 200 }) }) },
  { weight: 5, arbitrary: fc.record({ minutes: fc.integer({ min: 1, max: 240 }), grownWh: fc.nat({ max: 5_000 }) }) },
);

const step = fc.record({
  time: stepsOfTime,
  tellsRegister: fc.boolean(),
  chargingState: fc.option(fc.constantFrom("Charging", "SuspendedEV", "EVConnected"), { nil: undefined }),
  isLost: fc.integer({ min: 0, max: 6 }).map((die) => die === 0),
});

const session = fc.record({
  pauseMinutes: fc.integer({ min: 1, max: 600 }),
  steps: fc.array(step, { minLength: 1, maxLength: 6 }),
  startIsLost: fc.integer({ min: 0, max: 6 }).map((die) => die === 0),
  tokenAt: fc.nat({ max: 2 }),
  stopToken: fc.option(fc.constantFrom("STOPPER", "MASTER"), { nil: undefined }),
  stoppedReason: fc.option(fc.constantFrom("Local", "EVDisconnected", "Remote"), { nil: undefined }),
  meter: fc.record({
    unit: fc.constantFrom("Wh" as const, "kWh" as const, "milli-kWh" as const),
    series: fc.constantFrom("total" as const, "phases" as const, "both" as const),
    hasEdges: fc.boolean(),
  }),
});

/** What happened at a station: charges one after the other on each of a few EVSEs. */
export const histories: fc.Arbitrary<Charge[]> = fc
  .array(
    fc.record({
      startWh: fc.integer({ min: 1, max: 2_000_000 }),
      sessions: fc.array(session, { minLength: 1, maxLength: 3 }),
    }),
    { minLength: 1, maxLength: 3 },
  )
  .map((evses) => evses.flatMap(({ startWh, sessions }, index) => chargesOf(index + 1, startWh, sessions)));

type Session = typeof session extends fc.Arbitrary<infer Value> ? Value : never;

function chargesOf(evseId: number, startWh: number, sessions: readonly Session[]): Charge[] {
  let minute = 0;
  let registerWh = startWh;
  return sessions.map((made, index) => {
    minute += made.pauseMinutes;
    const happenings: Happening[] = [{ minute, registerWh, chargingState: "EVConnected", isLost: made.startIsLost }];
    for (const { time, tellsRegister, chargingState, isLost } of made.steps) {
      minute += time.minutes;
      registerWh += time.grownWh;
      happenings.push({ minute, registerWh: tellsRegister ? registerWh : undefined, chargingState, isLost });
    }
    return {
      evseId,
      name: `TX-${evseId}-${index + 1}`,
      idToken: `TOKEN-${evseId}-${index + 1}`,
      tokenAt: Math.min(made.tokenAt, happenings.length - 1),
      stopToken: made.stopToken,
      stoppedReason: made.stoppedReason,
      meter: made.meter,
      happenings,
    };
  });
}

/** How a station's messages are brought to the CSMS. */
export interface Delivery {
  /** Ranks by which messages are put in another order. */
  readonly ranks: readonly number[];
  /** Messages that come again, and whether with the message id that they had. */
  readonly repeats: readonly { readonly which: number; readonly after: number; readonly sameId: boolean }[];
  /** Before which messages the CSMS is restarted. */
  readonly restartsBefore: readonly number[];
}

/** Deliveries in any order. */
export const deliveries: fc.Arbitrary<Delivery> = fc.record({
  ranks: fc.array(fc.nat({ max: 1_000_000 }), { minLength: 64, maxLength: 64 }),
  repeats: fc.array(fc.record({ which: fc.nat(), after: fc.nat(), sameId: fc.boolean() }), { maxLength: 6 }),
  restartsBefore: fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(fc.nat({ max: 40 }), { maxLength: 1 }) },
  ),
});

/** Items in the order of their ranks. */
export function shuffled<Item>(items: readonly Item[], ranks: readonly number[]): Item[] {
  return items
    .map((item, index) => [item, ranks[index % ranks.length] ?? 0, index] as const)
    .sort((a, b) => a[1] - b[1] || a[2] - b[2])
    .map(([item]) => item);
}

/** Items with some again at later places. `again` makes the repeat. */
export function withRepeats<Item>(
  items: readonly Item[],
  repeats: Delivery["repeats"],
  again: (item: Item, sameId: boolean) => Item,
): Item[] {
  const all = [...items];
  for (const { which, after, sameId } of repeats) {
    const index = which % Math.max(1, all.length);
    const item = all[index];
    if (item === undefined) continue;
    all.splice(index + 1 + (after % (all.length - index)), 0, again(item, sameId));
  }
  return all;
}
