import { createLog, loadConfig, startCsms } from "@polyphase/csms";
import { adminToken, callApi, type RunningCsms, stationUrl } from "../system/running-csms.ts";

type StartOptions = Parameters<typeof startCsms>[0];

/**
 * Starts a CSMS in this process on the database that `settings` name (`DATABASE_URL` or `POLYPHASE_DATA_DIR`). How much
 * room the disk of the machine has does not matter unless they say so.
 */
export async function csmsOnDatabase(
  settings: Readonly<Record<string, string>>,
  how: Pick<StartOptions, "databaseTimes" | "readFreeSpace"> = {},
): Promise<RunningCsms> {
  const config = loadConfig({
    POLYPHASE_OCPP_PORT: "0",
    POLYPHASE_HTTP_PORT: "0",
    POLYPHASE_ADMIN_TOKEN: adminToken,
    POLYPHASE_UNKNOWN_STATIONS: "accept",
    POLYPHASE_LOG_LEVEL: "silent",
    POLYPHASE_DISK_RESERVE: "0",
    ...settings,
  });
  const log = createLog({ level: config.logLevel });
  const csms = await startCsms({ config, log, version: "0.0.0-test", ...how });
  return {
    csms,
    databaseUrl: settings.DATABASE_URL ?? "",
    urlFor: (version) => stationUrl(version, csms.ocppPort),
    api: (method, path, body) => callApi(csms.httpUrl, method, path, body),
    close: () => csms.close(),
  };
}
