import fc from "fast-check";
import { expect, test } from "vitest";
import { unwatchedDeviations } from "../../gateway/tolerance/conduct.ts";
import { ManualTimers } from "../fixture.ts";
import { ReportCollector } from "./report-collector.ts";

test("a report is complete when its last part comes, in whatever order and however often parts come", async () => {
  const reports = fc
    .record({ parts: fc.integer({ min: 1, max: 12 }), first: fc.constantFrom(0, 1) })
    .chain(({ parts, first }) => {
      const later = Array.from({ length: parts - 1 }, (_, index) => first + index + 1);
      return fc.record({
        last: fc.constant(first + parts - 1),
        // The first part comes first: without it a report that begins at 1 looks the same as one that has just 1.
        order: fc.shuffledSubarray(later, { minLength: later.length }).map((rest) => [first, ...rest]),
        repeats: fc.boolean(),
      });
    });
  await fc.assert(
    fc.asyncProperty(reports, async ({ last, order, repeats }) => {
      const collector = new ReportCollector(new ManualTimers(), 1_000, unwatchedDeviations);
      const outcome = collector.expect("CS1", 7);
      for (const [index, seqNo] of order.entries()) {
        const tbc = seqNo !== last;
        expect(collector.completes("CS1", 7, seqNo, tbc)).toBe(index === order.length - 1);
        collector.stored("CS1", 7, seqNo, tbc);
        if (repeats) collector.stored("CS1", 7, seqNo, tbc);
      }
      expect(await outcome).toBe("Complete");
    }),
  );
});

test("a report with a part missing is Incomplete when no part has come for its time", async () => {
  const timers = new ManualTimers();
  const collector = new ReportCollector(timers, 1_000, unwatchedDeviations);
  const outcome = collector.expect("CS1", 7);
  collector.stored("CS1", 7, 0, true);
  collector.stored("CS1", 7, 2, false);
  expect(timers.delaysMs).toEqual([1_000]);
  timers.elapse();
  expect(await outcome).toBe("Incomplete");
  expect(collector.completes("CS1", 7, 1, true)).toBe(false);
});

test("parts of another report complete nothing", () => {
  const collector = new ReportCollector(new ManualTimers(), 1_000, unwatchedDeviations);
  void collector.expect("CS1", 7);
  expect(collector.completes("CS1", 8, 0, false)).toBe(false);
  expect(collector.completes("CS2", 7, 0, false)).toBe(false);
});

test("a newer request gives up the older report", async () => {
  const collector = new ReportCollector(new ManualTimers(), 1_000, unwatchedDeviations);
  const older = collector.expect("CS1", 7);
  const newer = collector.expect("CS1", 8);
  expect(await older).toBe("Incomplete");
  collector.stored("CS1", 8, 0, false);
  expect(await newer).toBe("Complete");
});

test("report-from-one: a report that begins at seqNo 1 is complete where that is tolerated, and shows a deviation", async () => {
  const shown: string[] = [];
  let isTolerated = true;
  const collector = new ReportCollector(new ManualTimers(), 1_000, {
    tolerates: () => isTolerated,
    showed: (stationId, deviation) => shown.push(`${stationId} ${deviation}`),
  });
  const outcome = collector.expect("CS1", 7);
  collector.stored("CS1", 7, 1, true);
  collector.stored("CS1", 7, 2, false);
  expect(await outcome).toBe("Complete");
  expect(shown).toEqual(["CS1 report-from-one"]);
  isTolerated = false;
  void collector.expect("CS1", 8);
  collector.stored("CS1", 8, 1, true);
  expect(collector.completes("CS1", 8, 2, false)).toBe(false);
  expect(collector.completes("CS1", 8, 0, true)).toBe(false);
  expect(shown).toHaveLength(1);
  collector.close();
});
