import { describe, expect, it } from "vitest";
import { stationDate, stationTime } from "./station-time.ts";

describe("the leap second", () => {
  it.each([
    ["2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"],
    ["2016-12-31T23:59:60.25Z", "2017-01-01T00:00:00.250Z"],
    ["2017-01-01T01:59:60+02:00", "2017-01-01T00:00:00.000Z"],
  ])("%s is the next minute's first moment", (text, moment) => {
    expect(new Date(stationTime(text) ?? Number.NaN).toISOString()).toBe(moment);
  });
});

it("a text that is no date-time gives the moment of arrival", () => {
  const receivedAt = new Date("2026-03-01T12:00:00Z");
  expect(stationDate("yesterday", receivedAt)).toBe(receivedAt);
});
