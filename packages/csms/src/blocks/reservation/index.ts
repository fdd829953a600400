import type { CommandRegistry } from "../../gateway/commands.ts";
import type { StationCalls, StationMessageRoutes } from "../../gateway/station-messages.ts";
import { translateFamily1 } from "./ocpp1.ts";

/** Block H, reservation: reservations by command. */
export interface Reservation {
  registerRoutes(routes: StationMessageRoutes): void;
  registerCommands(commands: CommandRegistry, calls: StationCalls): void;
}

/** Makes the block. */
export function createReservation(): Reservation {
  return {
    registerRoutes(routes) {
      // H04: the reservation is the station's own; its end is in the message log.
      routes.on2("ReservationStatusUpdate", () => ({}));
    },
    registerCommands: translateFamily1,
  };
}
