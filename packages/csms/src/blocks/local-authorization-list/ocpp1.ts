import type { Ocpp16, Ocpp21 } from "@polyphase/ocpp";
import type { CommandRegistry } from "../../gateway/commands.ts";
import { CommandNotSupportedError, type StationCalls } from "../../gateway/station-messages.ts";

/** What 1.x calls a verdict of 2.1: Invalid is unknown to the CSMS, Blocked may not charge (1.6 §7.2). */
const statuses = {
  Accepted: "Accepted",
  Blocked: "Blocked",
  ConcurrentTx: "ConcurrentTx",
  Expired: "Expired",
  Invalid: "Invalid",
  NoCredit: "Blocked",
  NotAllowedTypeEVSE: "Blocked",
  NotAtThisLocation: "Blocked",
  NotAtThisTime: "Blocked",
  Unknown: "Invalid",
} as const satisfies Record<Ocpp21.AuthorizationStatusEnumType, Ocpp16.AuthorizationStatus>;

/** Translates the commands about what a station knows of tokens for family 1 (1.6 §5.4, §5.10, §5.15). */
export function translateFamily1(commands: CommandRegistry, calls: StationCalls): void {
  commands.translate("SendLocalList", async (stationId, request, options) => {
    const { versionNumber, updateType, localAuthorizationList } = request;
    const payload = {
      listVersion: versionNumber,
      updateType,
      ...(localAuthorizationList === undefined ? {} : { localAuthorizationList: localAuthorizationList.map(entry) }),
    };
    const { status } = await calls.call1(stationId, "SendLocalList", payload, options);
    if (status !== "NotSupported") return { status };
    return { status: "Failed", statusInfo: { reasonCode: "UnsupportedRequest" } };
  });
  commands.translate("GetLocalListVersion", async (stationId, _request, options) => {
    const { listVersion } = await calls.call1(stationId, "GetLocalListVersion", {}, options);
    // 1.6 §5.10: -1 says that the station keeps no list; 0, as in 2.1, that the list is empty.
    if (listVersion < 0) {
      throw new CommandNotSupportedError(stationId, "getLocalListVersion", "it keeps no local authorization list");
    }
    return { versionNumber: listVersion };
  });
  commands.translate("ClearCache", async (stationId, _request, options) =>
    calls.call1(stationId, "ClearCache", {}, options),
  );
}

function entry({ idToken, idTokenInfo }: Ocpp21.AuthorizationData): Ocpp16.AuthorizationData {
  if (idTokenInfo === undefined) return { idTag: idToken.idToken };
  const { status, cacheExpiryDateTime, groupIdToken } = idTokenInfo;
  return {
    idTag: idToken.idToken,
    idTagInfo: {
      status: statuses[status],
      ...(cacheExpiryDateTime === undefined ? {} : { expiryDate: cacheExpiryDateTime }),
      ...(groupIdToken === undefined ? {} : { parentIdTag: groupIdToken.idToken }),
    },
  };
}
