import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fitsPattern, ModelDecisions } from "./model-decisions.ts";

describe("a pattern", () => {
  it.each([
    ["*", "", true],
    ["*", "anything", true],
    ["Terra AC", "terra ac", true],
    ["Terra AC", "Terra AC W22", false],
    ["Terra*", "Terra AC W22", true],
    ["*W22", "Terra AC W22", true],
    ["T*A*2", "Terra AC W22", true],
    ["ab*bc", "abc", false],
    ["ab*bc", "abbc", true],
    ["a*a", "a", false],
    ["", "", true],
    ["", "x", false],
    ["a.c", "abc", false],
    ["**", "x", true],
  ])("%j fits %j: %s", (pattern, name, fits) => {
    expect(fitsPattern(pattern, name)).toBe(fits);
  });

  it("fits as the expression does that it stands for", () => {
    const letters = fc.array(fc.constantFrom("a", "b", "*"), { maxLength: 8 }).map((parts) => parts.join(""));
    const names = fc.array(fc.constantFrom("a", "b"), { maxLength: 10 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(letters, names, (pattern, name) => {
        expect(fitsPattern(pattern, name)).toBe(new RegExp(`^${pattern.replaceAll("*", ".*")}$`).test(name));
      }),
    );
  });

  it("made to be tried over and over takes no longer than others", () => {
    expect(fitsPattern("a*".repeat(50), `${"a".repeat(100_000)}b`)).toBe(true);
    expect(fitsPattern(`${"a*".repeat(50)}c`, `${"a".repeat(100_000)}b`)).toBe(false);
  });
});

describe("decisions by model", () => {
  it("of which several fit: the most exact pattern counts, for each rule alone", () => {
    const decisions = new ModelDecisions();
    decisions.set({ vendorName: "*", model: "*", rule: "no-ping", enabled: true });
    decisions.set({ vendorName: "ACME", model: "*", rule: "no-ping", enabled: false });
    decisions.set({ vendorName: "ACME", model: "One*", rule: "no-ping", enabled: true });
    decisions.set({ vendorName: "*", model: "*", rule: "null-values", enabled: false });
    expect(decisions.decided("Other", "X", "no-ping")).toBe(true);
    expect(decisions.decided("acme", "Two", "no-ping")).toBe(false);
    expect(decisions.decided("ACME", "one plus", "no-ping")).toBe(true);
    expect(decisions.decided("ACME", "One", "null-values")).toBe(false);
    expect(decisions.decided("ACME", "One", "time-format")).toBeUndefined();
  });

  it("count at once, also for models that were asked for before", () => {
    const decisions = new ModelDecisions();
    expect(decisions.decided("ACME", "One", "no-ping")).toBeUndefined();
    decisions.set({ vendorName: "ACME", model: "One", rule: "no-ping", enabled: true });
    expect(decisions.decided("ACME", "One", "no-ping")).toBe(true);
    decisions.set({ vendorName: "acme", model: "ONE", rule: "no-ping", enabled: false });
    expect(decisions.all()).toEqual([{ vendorName: "acme", model: "ONE", rule: "no-ping", enabled: false }]);
    expect(decisions.decided("ACME", "One", "no-ping")).toBe(false);
    decisions.delete({ vendorName: "ACME", model: "One", rule: "no-ping" });
    expect(decisions.decided("ACME", "One", "no-ping")).toBeUndefined();
    expect(decisions.isEmpty).toBe(true);
  });

  it("hold for models without end, whose names stations make up", () => {
    const decisions = new ModelDecisions();
    decisions.set({ vendorName: "ACME", model: "One", rule: "no-ping", enabled: true });
    for (let index = 0; index < 3_000; index += 1) {
      expect(decisions.decided("ACME", `Made up ${index}`, "no-ping")).toBeUndefined();
    }
    expect(decisions.decided("ACME", "One", "no-ping")).toBe(true);
  });
});
