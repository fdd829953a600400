import type { StationContext } from "../../gateway/station-messages.ts";

/** What a vendor's message brings. */
export interface VendorMessage {
  readonly stationId: string;
  readonly vendorId: string;
  readonly messageId: string | undefined;
  /** A text from family 1; any JSON value from family 2. */
  readonly data: unknown;
  readonly context: StationContext;
}

/** What a vendor's handler answers. `data` becomes a text for family 1. */
export interface VendorAnswer {
  readonly status: "Accepted" | "Rejected";
  readonly data?: unknown;
}

/** Answers a vendor's message. An error it throws is answered as an internal error. */
export type VendorHandler = (message: VendorMessage) => VendorAnswer | Promise<VendorAnswer>;

/** What the registry finds for a message. */
export type VendorMatch = VendorHandler | "UnknownVendorId" | "UnknownMessageId";

/** The handlers of vendors' messages. */
export class VendorRegistry {
  readonly #vendors = new Map<string, Map<string | undefined, VendorHandler>>();

  /**
   * Registers the handler of one message, or without `messageId` of all messages of the vendor that have none of
   * their own.
   *
   * @throws TypeError when it is taken
   */
  register(vendorId: string, messageId: string | undefined, handler: VendorHandler): void {
    const messages = this.#vendors.get(vendorId) ?? new Map<string | undefined, VendorHandler>();
    if (messages.has(messageId)) {
      throw new TypeError(`${vendorId} ${messageId ?? "(any message)"} has a handler already`);
    }
    messages.set(messageId, handler);
    this.#vendors.set(vendorId, messages);
  }

  /** The handler, or why there is none (P02.FR.06, P02.FR.07; 1.6 §4.3). */
  find(vendorId: string, messageId: string | undefined): VendorMatch {
    const messages = this.#vendors.get(vendorId);
    if (messages === undefined) return "UnknownVendorId";
    return messages.get(messageId) ?? messages.get(undefined) ?? "UnknownMessageId";
  }
}
