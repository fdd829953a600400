import type { Messages as Messages12 } from "../generated/types-1.2.ts";
import type { Messages as Messages15 } from "../generated/types-1.5.ts";
import type { Messages as Messages16 } from "../generated/types-1.6.ts";
import type { Messages as Messages201 } from "../generated/types-2.0.1.ts";
import type { Messages as Messages21 } from "../generated/types-2.1.ts";
import type { actions } from "./actions.ts";
import type { OcppVersion, Role } from "./version.ts";

/** Request and response types of every action, by version. */
export interface Messages {
  "1.2": Messages12;
  "1.5": Messages15;
  "1.6": Messages16;
  "2.0.1": Messages201;
  "2.1": Messages21;
}

/** Every action of a version. */
export type ActionOf<V extends OcppVersion> = keyof Messages[V] & string;

/** The request payload of an action. */
export type RequestOf<V extends OcppVersion, A extends ActionOf<V>> = Messages[V][A] extends { request: infer T }
  ? T
  : never;

/** The response payload of an action; `undefined` for SEND, which has none. */
export type ResponseOf<V extends OcppVersion, A extends ActionOf<V>> = Messages[V][A] extends { response: infer T }
  ? T
  : never;

type Rows<V extends OcppVersion> = (typeof actions)[V];

type ActionsFrom<V extends OcppVersion, R extends Role> = {
  [A in keyof Rows<V>]: Rows<V>[A] extends { from: R | "Both" } ? A : never;
}[keyof Rows<V>] &
  ActionOf<V>;

type SendActions<V extends OcppVersion> = {
  [A in keyof Rows<V>]: Rows<V>[A] extends { kind: "SEND" } ? A : never;
}[keyof Rows<V>];

/** The actions that this role may call, each answered by the other role. */
export type CallsFrom<V extends OcppVersion, R extends Role> = Exclude<ActionsFrom<V, R>, SendActions<V>>;

/** The actions that this role may send without an answer (2.1). */
export type SendsFrom<V extends OcppVersion, R extends Role> = Extract<ActionsFrom<V, R>, SendActions<V>>;

/** The role at the other end. */
export type Peer<R extends Role> = R extends "CSMS" ? "ChargingStation" : "CSMS";
