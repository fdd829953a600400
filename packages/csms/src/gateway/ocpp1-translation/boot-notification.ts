import type { Ocpp12, Ocpp15, Ocpp16 } from "@polyphase/ocpp";
import { clip, defined } from "./direction.ts";

/** 1.5 leaves some of these open and 1.2 all of them; none is a key, so too long a one is cut. */
export function bootRequestTo16(
  payload: Ocpp12.BootNotificationRequest | Ocpp15.BootNotificationRequest,
): Ocpp16.BootNotificationRequest {
  return defined({
    chargePointVendor: clip(payload.chargePointVendor, 20),
    chargePointModel: clip(payload.chargePointModel, 20),
    chargePointSerialNumber: clip(payload.chargePointSerialNumber, 25),
    chargeBoxSerialNumber: clip(payload.chargeBoxSerialNumber, 25),
    firmwareVersion: clip(payload.firmwareVersion, 50),
    iccid: clip(payload.iccid, 20),
    imsi: clip(payload.imsi, 20),
    meterType: clip(payload.meterType, 25),
    meterSerialNumber: clip(payload.meterSerialNumber, 25),
  });
}

/**
 * Pending came with 1.6. Earlier stations are told Rejected, which makes them ask again after the interval; what the
 * CSMS may do meanwhile is decided by its own record of the station.
 */
export function bootResponseFrom16(payload: Ocpp16.BootNotificationResponse): Ocpp15.BootNotificationResponse {
  return {
    status: payload.status === "Accepted" ? "Accepted" : "Rejected",
    currentTime: payload.currentTime,
    heartbeatInterval: payload.interval,
  };
}
