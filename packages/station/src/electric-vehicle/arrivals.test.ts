import { describe, expect, it } from "vitest";
import { seededRandom } from "../random.ts";
import { nextArrival } from "./arrivals.ts";

const monday = Date.UTC(2030, 0, 7);

describe("arrivals", () => {
  it("come to a workplace in the morning of a weekday and hardly at night", () => {
    const random = seededRandom("mornings");
    const hours = Array.from({ length: 24 }, () => 0);
    for (let week = 0; week < 400; week++) {
      const { at } = nextArrival(random, "workplace", monday + 5 * 3_600_000);
      const hour = new Date(at).getUTCHours();
      hours[hour] = (hours[hour] ?? 0) + 1;
    }
    const morning = hours.slice(6, 11).reduce((sum, count) => sum + count, 0);
    expect(morning).toBeGreaterThan(280);
    expect(hours.slice(0, 4).reduce((sum, count) => sum + count, 0)).toBeLessThan(10);
  });

  it("repeat exactly for the same seed", () => {
    const draw = (seed: string) => {
      const random = seededRandom(seed);
      return Array.from({ length: 5 }, () => nextArrival(random, "street", monday));
    };
    expect(draw("a")).toEqual(draw("a"));
    expect(draw("a")).not.toEqual(draw("b"));
  });

  it("bring states of charge and stays that make sense", () => {
    const random = seededRandom(3);
    for (let visit = 0; visit < 500; visit++) {
      const { stayS, socPercent, at } = nextArrival(random, "roadside", monday);
      expect(at).toBeGreaterThan(monday);
      expect(stayS).toBeGreaterThan(4 * 60);
      expect(socPercent).toBeGreaterThanOrEqual(3);
      expect(socPercent).toBeLessThanOrEqual(92);
    }
  });
});
