import type { OcppVersion } from "@polyphase/ocpp";
import { NotTranslatableError } from "./direction.ts";
import { fromStation12, toStation12 } from "./ocpp-1.2.ts";
import { fromStation15, toStation15 } from "./ocpp-1.5.ts";

export { NotTranslatableError };

/** How one action's payloads pass the edge. `request` flows in the direction of the call, `response` back. */
interface UntypedRow {
  request(payload: never): unknown;
  response(payload: never): unknown;
}

type UntypedTable = Readonly<Record<string, UntypedRow | undefined>>;

const fromStation: Readonly<Partial<Record<OcppVersion, UntypedTable>>> = {
  "1.2": fromStation12,
  "1.5": fromStation15,
};
const toStation: Readonly<Partial<Record<OcppVersion, UntypedTable>>> = { "1.2": toStation12, "1.5": toStation15 };

/** A valid request of a 1.2 or 1.5 station in 1.6 words. Those of other versions are returned as they are. */
export function requestTo16(version: OcppVersion, action: string, payload: unknown): unknown {
  const row = fromStation[version]?.[action];
  return row === undefined ? payload : row.request(payload as never);
}

/** A valid 1.6 response in the words of the station's version. */
export function responseFrom16(version: OcppVersion, action: string, payload: unknown): unknown {
  const row = fromStation[version]?.[action];
  return row === undefined ? payload : row.response(payload as never);
}

/**
 * A valid 1.6 request in the words of the station's version.
 *
 * @throws NotTranslatableError when that version has no such action, or no way to say this
 */
export function requestFrom16(version: OcppVersion, action: string, payload: unknown): unknown {
  const table = toStation[version];
  if (table === undefined) return payload;
  const row = table[action];
  if (row === undefined) throw new NotTranslatableError(`OCPP ${version} has no ${action}`);
  return row.request(payload as never);
}

/** A valid response of the station in 1.6 words. */
export function responseTo16(version: OcppVersion, action: string, payload: unknown): unknown {
  const row = toStation[version]?.[action];
  return row === undefined ? payload : row.response(payload as never);
}
