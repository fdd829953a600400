import { type Figure, meetsGoal, ratioOf } from "./bench-case.ts";

function number(value: number): string {
  if (!Number.isFinite(value)) return "?";
  const size = Math.abs(value);
  return value.toFixed(size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2);
}

function withUnit(value: number, unit: string): string {
  return unit === "" ? number(value) : `${number(value)} ${unit}`;
}

const percent = (ratio: number): string => `${number(ratio * 100)} %`;

function cells(figure: Figure): readonly string[] {
  const { what, measured, floor, goal } = figure;
  const ratio = ratioOf(figure);
  const met = meetsGoal(figure);
  const bound = goal?.bound === "at least" ? "≥" : "≤";
  return [
    what,
    withUnit(measured.value, measured.unit),
    floor === undefined ? "" : `${withUnit(floor.value, measured.unit)} (${floor.what})`,
    ratio === undefined ? "" : percent(ratio),
    goal === undefined
      ? ""
      : `${bound} ${goal.of === "ratio" ? percent(goal.value) : withUnit(goal.value, measured.unit)}`,
    met === undefined ? "" : met ? "met" : "missed",
  ];
}

/** The figures as a table in Markdown. */
export function figureTable(figures: readonly Figure[]): string {
  const rows = [
    ["what", "measured", "floor, in the same run", "ratio", "goal", ""],
    ["---", "--:", "--:", "--:", "--:", "---"],
    ...figures.map(cells),
  ];
  return rows.map((row) => `| ${row.join(" | ")} |`).join("\n");
}
