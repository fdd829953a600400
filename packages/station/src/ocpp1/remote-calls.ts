import type { Family1Calls } from "./calls.ts";
import { profileOf } from "./charging-profile-words.ts";
import { tokenOf } from "./id-tag.ts";

/** Calls that act on connectors and transactions. */
export const remoteCalls: Pick<
  Family1Calls,
  "ChangeAvailability" | "RemoteStartTransaction" | "RemoteStopTransaction" | "Reset" | "UnlockConnector"
> = {
  ChangeAvailability: ({ station }, { connectorId, type }) => {
    const operative = type === "Operative";
    if (connectorId !== 0) {
      const session = station.session(connectorId);
      if (session === undefined) return { status: "Rejected" };
      return { status: station.availability.changeEvse(session, operative) };
    }
    // Connector 0 stands for the Charge Point and all its connectors (OCPP 1.6 §5.2).
    const statuses = station.sessions.map((session) => station.availability.changeEvse(session, operative));
    statuses.push(station.availability.changeStation(operative));
    return { status: statuses.includes("Scheduled") ? "Scheduled" : "Accepted" };
  },

  RemoteStartTransaction: ({ station }, { connectorId, idTag, chargingProfile }) => {
    const profile = chargingProfile === undefined ? undefined : profileOf(chargingProfile);
    if (connectorId === 0) return { status: "Rejected" };
    if (chargingProfile !== undefined && profile?.purpose !== "TxProfile") return { status: "Rejected" };
    const { status } = station.permission.remoteStart({
      token: tokenOf(idTag),
      remoteStartId: 0,
      ...(connectorId === undefined ? {} : { evseId: connectorId }),
      ...(profile === undefined ? {} : { profile }),
    });
    return { status };
  },

  RemoteStopTransaction: (driver, { transactionId }) => {
    const transaction = driver.sessionOfRemote(transactionId)?.transaction;
    return { status: transaction === undefined ? "Rejected" : driver.station.permission.remoteStop(transaction.id) };
  },

  Reset: ({ station }, { type }) => {
    station.restart.reset("Immediate", type);
    return { status: "Accepted" };
  },

  UnlockConnector: ({ station }, { connectorId }) => {
    const session = station.session(connectorId);
    if (session === undefined) return { status: "NotSupported" };
    // OCPP 1.6 §5.18: a running transaction is finished first.
    session.endAuthorization("UnlockCommand", "Other");
    session.evse.locked = false;
    return { status: "Unlocked" };
  },
};
