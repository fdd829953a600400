import { expect, it } from "vitest";
import type { StationDeviations } from "../../gateway/tolerance/conduct.ts";
import { withKilowattHours1, withKilowattHours2 } from "./kilowatt-hours.ts";

const timestamp = "2024-05-01T00:00:00Z";
const shown: unknown[] = [];
const lenient: StationDeviations = {
  tolerates: (stationId, deviation) => stationId === "CS1" && deviation === "kwh-labelled-wh",
  showed: (stationId, deviation) => shown.push([stationId, deviation]),
};

it("takes active energy in Wh or without unit for kWh in 1.x, and nothing else", () => {
  const values = (units: readonly ("Wh" | "kWh" | undefined)[]) => [
    {
      timestamp,
      sampledValue: [
        { value: "1.5", ...(units[0] === undefined ? {} : { unit: units[0] }) },
        { value: "1.5", measurand: "Energy.Active.Export.Register" as const, unit: units[1] ?? "Wh" },
        { value: "1.5", unit: "kWh" as const },
        { value: "1.5", measurand: "Power.Active.Import" as const },
        { value: "1.5", measurand: "Energy.Reactive.Import.Register" as const },
        { value: "00", format: "SignedData" as const },
      ],
    },
  ];
  const told = values([undefined, "Wh"]);
  expect(withKilowattHours1(lenient, "CS1", told)).toEqual(values(["kWh", "kWh"]));
  expect(withKilowattHours1(lenient, "CS2", told)).toBe(told);
  expect(withKilowattHours1(lenient, "CS1", undefined)).toBeUndefined();
  expect(shown.splice(0)).toEqual([["CS1", "kwh-labelled-wh"]]);
});

it("leaves a multiplier of 2.x that says so already, and shows nothing where nothing changed", () => {
  const value = (unitOfMeasure: object | undefined) => [
    { timestamp, sampledValue: [{ value: 1.5, ...(unitOfMeasure === undefined ? {} : { unitOfMeasure }) }] as const },
  ];
  const asTold = (unitOfMeasure: object | undefined) =>
    withKilowattHours2(lenient, "CS1", value(unitOfMeasure) as never);
  expect(asTold({ unit: "Wh", multiplier: 3 })).toEqual(value({ unit: "Wh", multiplier: 3 }));
  expect(asTold({ unit: "kWh" })).toEqual(value({ unit: "kWh" }));
  expect(shown).toEqual([]);
  expect(asTold(undefined)).toEqual(value({ unit: "kWh" }));
  expect(asTold({ unit: "Wh", multiplier: 0 })).toEqual(value({ unit: "kWh", multiplier: 0 }));
  expect(shown.splice(0)).toHaveLength(2);
});
