import type { GroupCommit } from "../../database/write-unit.ts";
import type { CommandRegistry } from "../../gateway/commands.ts";
import type { StationCalls, StationMessageRoutes } from "../../gateway/station-messages.ts";
import { registerFamily1, translateFamily1 } from "./ocpp1.ts";
import { registerFamily2 } from "./ocpp2.ts";
import { DataTransferService } from "./service.ts";
import { type VendorHandler, VendorRegistry } from "./vendor-registry.ts";

export type { VendorAnswer, VendorHandler, VendorMessage } from "./vendor-registry.ts";

/** Block P, data transfer: what vendors and operators agree on beside OCPP. */
export interface DataTransfer {
  registerRoutes(routes: StationMessageRoutes): void;
  registerCommands(commands: CommandRegistry, calls: StationCalls): void;
  /**
   * Registers the handler of one message of a vendor, or of all that have none of their own when `messageId` is
   * undefined.
   *
   * @throws TypeError when it is taken
   */
  registerVendor(vendorId: string, messageId: string | undefined, handler: VendorHandler): void;
}

/** Makes the block. */
export function createDataTransfer(dependencies: { readonly groupCommit: GroupCommit }): DataTransfer {
  const vendors = new VendorRegistry();
  const service = new DataTransferService(dependencies.groupCommit, vendors);
  return {
    registerRoutes(routes) {
      registerFamily1(routes, service);
      registerFamily2(routes, service);
    },
    registerCommands: translateFamily1,
    registerVendor: (vendorId, messageId, handler) => vendors.register(vendorId, messageId, handler),
  };
}
