import { actions12 } from "./actions-1.2.ts";
import { actions15 } from "./actions-1.5.ts";
import { actions16 } from "./actions-1.6.ts";
import { actions201 } from "./actions-2.0.1.ts";
import { actions21 } from "./actions-2.1.ts";
import type { OcppVersion, Role } from "./version.ts";

/** What the specification says of an action besides its schemas. */
export interface ActionRow {
  /** Who sends the request. The response flows the other way. */
  readonly from: Role | "Both";
  /** Functional block of OCPP 2.x, or feature profile of 1.x. */
  readonly functionalBlock: string;
  /** SEND is never answered (OCPP 2.1 Part 4 §4.2.4); absent means CALL. */
  readonly kind?: "SEND";
  /** Present on the messages that the security whitepaper adds to 1.6; they exist in OCPP-J only. */
  readonly extension?: "security";
}

/** Every action of every version: 236 rows. */
export const actions = {
  "1.2": actions12,
  "1.5": actions15,
  "1.6": actions16,
  "2.0.1": actions201,
  "2.1": actions21,
} as const satisfies Readonly<Record<OcppVersion, Readonly<Record<string, ActionRow>>>>;
