import type { GroupCommit } from "../../database/write-unit.ts";
import type { StationContext } from "../../gateway/station-messages.ts";
import type { VendorAnswer, VendorRegistry } from "./vendor-registry.ts";

/** The answer to a DataTransfer of either family. */
export type DataTransferAnswer =
  | VendorAnswer
  | { readonly status: "UnknownVendorId" | "UnknownMessageId"; readonly data?: never };

/** What stations send for their vendors' own purposes (P02). */
export class DataTransferService {
  readonly #groupCommit: GroupCommit;
  readonly #vendors: VendorRegistry;

  constructor(groupCommit: GroupCommit, vendors: VendorRegistry) {
    this.#groupCommit = groupCommit;
    this.#vendors = vendors;
  }

  /** Records the transfer as an event and lets the vendor's handler answer. */
  async receive(
    vendorId: string,
    messageId: string | undefined,
    data: unknown,
    context: StationContext,
  ): Promise<DataTransferAnswer> {
    const { stationId, receivedAt } = context;
    await this.#groupCommit
      .unit()
      .publish({
        type: "data-transfer.received",
        stationId,
        timestamp: receivedAt,
        data: { vendorId, ...(messageId === undefined ? {} : { messageId }) },
      })
      .commit();
    const handler = this.#vendors.find(vendorId, messageId);
    return typeof handler === "string"
      ? { status: handler }
      : handler({ stationId, vendorId, messageId, data, context });
  }
}
