import type { CommandRegistry } from "../../gateway/commands.ts";
import type { StationCalls, StationMessageRoutes } from "../../gateway/station-messages.ts";
import type { DataTransferService } from "./service.ts";

/** Registers DataTransfer from stations of family 1 (1.6 §4.3). */
export function registerFamily1(routes: StationMessageRoutes, service: DataTransferService): void {
  routes.on1("DataTransfer", async (request, context) => {
    const { status, data } = await service.receive(request.vendorId, request.messageId, request.data, context);
    return { status, ...(data === undefined ? {} : { data: asText(data) }) };
  });
}

/** Translates dataTransfer for family 1 (1.6 §5.6), where data is a text. */
export function translateFamily1(commands: CommandRegistry, calls: StationCalls): void {
  commands.translate("DataTransfer", async (stationId, request, options) => {
    const { vendorId, messageId, data } = request;
    const payload = {
      vendorId,
      ...(messageId === undefined ? {} : { messageId }),
      ...(data === undefined ? {} : { data: asText(data) }),
    };
    return calls.call1(stationId, "DataTransfer", payload, options);
  });
}

/** A text as it is; anything else as JSON. */
function asText(data: unknown): string {
  return typeof data === "string" ? data : JSON.stringify(data);
}
