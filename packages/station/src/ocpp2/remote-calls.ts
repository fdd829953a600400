import type { Family2Calls } from "./calls.ts";
import { profileOf } from "./charging-profile-words.ts";

/** Calls that act on EVSEs and transactions. */
export const remoteCalls: Pick<
  Family2Calls,
  | "ChangeAvailability"
  | "GetTransactionStatus"
  | "RequestStartTransaction"
  | "RequestStopTransaction"
  | "Reset"
  | "UnlockConnector"
> = {
  ChangeAvailability: ({ station }, { evse, operationalStatus }) => {
    const operative = operationalStatus === "Operative";
    if (evse === undefined || evse.id === 0) return { status: station.availability.changeStation(operative) };
    const session = station.session(evse.id);
    if (session === undefined || (evse.connectorId ?? 1) !== 1) return { status: "Rejected" };
    return { status: station.availability.changeEvse(session, operative) };
  },

  RequestStartTransaction: ({ station }, request) => {
    const { evseId, idToken, groupIdToken, remoteStartId, chargingProfile } = request;
    const offersProfiles = station.settings.smartChargingEnabled;
    // F01.FR.12: without smart charging the profile is ignored; an unusable one is refused (F01.FR.26).
    const profile = chargingProfile !== undefined && offersProfiles ? profileOf(chargingProfile) : undefined;
    if (chargingProfile !== undefined && offersProfiles && profile?.purpose !== "TxProfile") {
      return { status: "Rejected", statusInfo: { reasonCode: "InvalidProfile" } };
    }
    return station.permission.remoteStart({
      token: { idToken: idToken.idToken, type: idToken.type },
      remoteStartId,
      ...(evseId === undefined ? {} : { evseId }),
      ...(groupIdToken === undefined ? {} : { groupToken: { idToken: groupIdToken.idToken, type: groupIdToken.type } }),
      ...(profile === undefined ? {} : { profile }),
    });
  },

  RequestStopTransaction: ({ station }, { transactionId }) => ({
    status: station.permission.remoteStop(transactionId),
  }),

  GetTransactionStatus: ({ station }, { transactionId }) => {
    // E14.FR.06: without an id only the queue is meant.
    if (transactionId === undefined) return { messagesInQueue: station.queue.size > 0 };
    return {
      ongoingIndicator: station.sessionOf(transactionId) !== undefined,
      messagesInQueue: station.queue.has(transactionId),
    };
  },

  Reset: ({ station }, { type, evseId }) => {
    // There is no memory of transactions to resume from (B13: TxResumptionTimeout is absent).
    if (type === "ImmediateAndResume") return { status: "Rejected" };
    if (evseId === undefined || evseId === 0) return { status: station.restart.reset(type) };
    const session = station.session(evseId);
    if (session === undefined) return { status: "Rejected" };
    return { status: station.restart.resetEvse(session, type) };
  },

  UnlockConnector: ({ station }, { evseId, connectorId }) => {
    const session = station.session(evseId);
    if (session === undefined || connectorId !== 1) return { status: "UnknownConnector" };
    // F05.FR.02
    if (session.transaction !== undefined && session.authorization !== undefined) {
      return { status: "OngoingAuthorizedTransaction" };
    }
    session.evse.locked = false;
    return { status: "Unlocked" };
  },
};
