import type { CommandRegistry } from "../../gateway/commands.ts";
import { CommandNotSupportedError, type StationCalls } from "../../gateway/station-messages.ts";

/** Translates the commands of block H for family 1 (1.6 §5.1, §5.13; 1.5 has them too). */
export function translateFamily1(commands: CommandRegistry, calls: StationCalls): void {
  commands.translate("ReserveNow", async (stationId, request, options) => {
    const { id, expiryDateTime, connectorType, idToken, evseId, groupIdToken } = request;
    if (connectorType !== undefined) {
      throw new CommandNotSupportedError(stationId, "reserveNow", "OCPP 1.x cannot reserve a type of connector");
    }
    const payload = {
      // Connector 0 leaves the choice to the station, as an absent EVSE does (H01.FR.07).
      connectorId: evseId ?? 0,
      expiryDate: expiryDateTime,
      idTag: idToken.idToken,
      ...(groupIdToken === undefined ? {} : { parentIdTag: groupIdToken.idToken }),
      reservationId: id,
    };
    return calls.call1(stationId, "ReserveNow", payload, options);
  });
  commands.translate("CancelReservation", async (stationId, { reservationId }, options) =>
    calls.call1(stationId, "CancelReservation", { reservationId }, options),
  );
}
