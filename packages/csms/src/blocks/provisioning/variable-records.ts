import type { GroupCommit, WriteStatement, WriteUnit } from "../../database/write-unit.ts";
import type { ReportedVariable, VariableValue } from "./variable.ts";
import { isStorable, reportRow, saveReported, saveValue, valueRow } from "./variable-store.ts";

/** A value with the time at which the station had it, by its own clock where it tells. */
export interface TimedValue extends VariableValue {
  readonly timestamp: Date;
}

/**
 * Sees the values that stations tell before they are committed, and may add to the unit. Returns what undoes its
 * changes of memory when the commit fails.
 */
export type ValueObserver = (
  stationId: string,
  values: readonly TimedValue[],
  receivedAt: Date,
  unit: WriteUnit,
) => (() => void) | undefined;

/** What else belongs into the commit of some values. */
export type Addition = (unit: WriteUnit) => void;

/** Stores what stations tell of their variables. */
export class VariableRecords {
  readonly #groupCommit: GroupCommit;
  readonly #observers: ValueObserver[] = [];

  constructor(groupCommit: GroupCommit) {
    this.#groupCommit = groupCommit;
  }

  observe(observer: ValueObserver): void {
    this.#observers.push(observer);
  }

  /** Stores attributes with all that a report tells of them. */
  async storeReported(
    stationId: string,
    reported: readonly (ReportedVariable & TimedValue)[],
    receivedAt: Date,
    addition?: Addition,
  ): Promise<void> {
    await this.#store(stationId, reported, receivedAt, saveReported, reportRow, addition);
  }

  /** Stores values and leaves the rest of the attributes as it is. */
  async storeValues(
    stationId: string,
    values: readonly TimedValue[],
    receivedAt: Date,
    addition?: Addition,
  ): Promise<void> {
    await this.#store(stationId, values, receivedAt, saveValue, valueRow, addition);
  }

  async #store<Value extends TimedValue, Row extends object>(
    stationId: string,
    values: readonly Value[],
    receivedAt: Date,
    statement: WriteStatement<Row>,
    toRow: (stationId: string, value: Value, at: Date) => Row,
    addition: Addition | undefined,
  ): Promise<void> {
    const unit = this.#groupCommit.unit();
    for (const value of values) if (isStorable(value)) unit.add(statement, toRow(stationId, value, receivedAt));
    const undo = this.#observers.map((observer) => observer(stationId, values, receivedAt, unit));
    addition?.(unit);
    try {
      await unit.commit();
    } catch (error) {
      for (const step of undo) step?.();
      throw error;
    }
  }
}
