import type { StationMessageRoutes } from "../../gateway/station-messages.ts";
import type { DataTransferService } from "./service.ts";

/** Registers DataTransfer from stations of family 2 (P02). */
export function registerFamily2(routes: StationMessageRoutes, service: DataTransferService): void {
  routes.on2("DataTransfer", async (request, context) => {
    const { status, data } = await service.receive(request.vendorId, request.messageId, request.data, context);
    return { status, ...(data === undefined ? {} : { data }) };
  });
}
