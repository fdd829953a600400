import type { CallsFrom, OcppVersion, RequestOf, ResponseOf } from "@polyphase/ocpp";

/** The versions of family 1 that are translated. */
export type OlderVersion = Extract<OcppVersion, "1.2" | "1.5">;

/** Actions that stations of version V send and 1.6 has too, which is all of them. */
export type SentBy<V extends OlderVersion> = CallsFrom<V, "ChargingStation"> & CallsFrom<"1.6", "ChargingStation">;

/** Actions that stations of version V can be called with. */
export type TakenBy<V extends OlderVersion> = CallsFrom<V, "CSMS"> & CallsFrom<"1.6", "CSMS">;

/** What stations send: requests become 1.6, our 1.6 responses become theirs. */
export type FromStation<V extends OlderVersion> = {
  readonly [A in SentBy<V>]: {
    request(payload: RequestOf<V, A>): RequestOf<"1.6", A>;
    response(payload: ResponseOf<"1.6", A>): ResponseOf<V, A>;
  };
};

/** What we call: our 1.6 requests become theirs, their responses become 1.6. */
export type ToStation<V extends OlderVersion> = {
  readonly [A in TakenBy<V>]: {
    request(payload: RequestOf<"1.6", A>): RequestOf<V, A>;
    response(payload: ResponseOf<V, A>): ResponseOf<"1.6", A>;
  };
};

/** For payloads that are the same in both versions. */
export const same = <T>(payload: T): T => payload;

/** A row whose request and response are the same in both versions. */
export const sameBoth = { request: same, response: same } as const;

/** What was asked has no counterpart in the station's version. */
export class NotTranslatableError extends Error {
  override readonly name = "NotTranslatableError";
}

/** The value with only those of its properties that are set. */
export function defined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as T;
}

/** The first `maxLength` characters: 1.6 limits texts that earlier versions left open. Counts as the schemas do, in code points. */
export function clip(text: string, maxLength: number): string;
export function clip(text: string | undefined, maxLength: number): string | undefined;
export function clip(text: string | undefined, maxLength: number): string | undefined {
  if (text === undefined || text.length <= maxLength) return text;
  return [...text].slice(0, maxLength).join("");
}
