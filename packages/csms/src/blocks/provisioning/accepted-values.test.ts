import { beforeEach, expect, test } from "vitest";
import { AcceptedValues } from "./accepted-values.ts";
import type { VariableValue } from "./variable.ts";

let shown: unknown[];
let values: AcceptedValues;

beforeEach(() => {
  shown = [];
  values = new AcceptedValues({
    tolerates: () => true,
    showed: (stationId, deviation, evidence) => shown.push([stationId, deviation, evidence]),
  });
});

const interval = (value?: string): VariableValue => ({
  component: "OCPPCommCtrlr",
  variable: "HeartbeatInterval",
  attribute: "Actual",
  ...(value === undefined ? {} : { value }),
});

test("a value that a station accepted and tells otherwise is a configuration that it ignored, once", () => {
  values.accepted("CS1", interval("300"));
  values.told("CS1", interval("60"));
  values.told("CS1", interval("60"));
  const evidence = { component: "OCPPCommCtrlr", variable: "HeartbeatInterval" };
  expect(shown).toEqual([["CS1", "configuration-ignored", evidence]]);
});

test.each(["300", " 300 ", "300.0", "0300"])(
  "a value that a station writes back as %j is the one it accepted",
  (told) => {
    values.accepted("CS1", interval("300"));
    values.told("CS1", interval(told));
    expect(shown).toEqual([]);
  },
);

test("case and spaces make no other list of a list", () => {
  values.accepted("CS1", interval("Power.Active.Import,SoC"));
  values.told("CS1", interval("power.active.import, SoC"));
  expect(shown).toEqual([]);
});

test("what nobody asked for, what is secret and what another station or attribute tells shows nothing", () => {
  values.told("CS1", interval("60"));
  values.accepted("CS1", interval("300"));
  values.told("CS1", interval());
  values.told("CS2", interval("60"));
  values.told("cs1", interval("60"));
  values.told("CS1", { ...interval("60"), attribute: "MaxSet" });
  values.told("CS1", { ...interval("60"), variableInstance: "x" });
  values.accepted("CS1", { ...interval(), component: "SecurityCtrlr" });
  values.told("CS1", { ...interval("x"), component: "SecurityCtrlr" });
  expect(shown).toEqual([]);
  values.forget("CS1", interval());
  values.told("CS1", interval("60"));
  expect(shown).toEqual([]);
});

test("ten thousand accepted values are remembered at most", () => {
  for (let index = 0; index <= 10_000; index += 1) values.accepted(`CS${index}`, interval("300"));
  values.told("CS0", interval("60"));
  expect(shown).toEqual([]);
  values.told("CS1", interval("60"));
  values.told("CS10000", interval("60"));
  expect(shown).toHaveLength(2);
});
