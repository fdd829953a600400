import type { Clock } from "../../clock.ts";
import type { StationMessageRoutes } from "../../gateway/station-messages.ts";

/** For how long a certificate status that could not be found out is not asked for again, in milliseconds. */
const STATUS_RETRY_MS = 3_600_000;

/**
 * Registers what stations of family 2 ask about certificates. There is no certificate authority and no connection to
 * one, and the answers say so in the way each message has for it.
 */
export function registerFamily2(routes: StationMessageRoutes, clock: Clock): void {
  routes.on2("SignCertificate", () => ({ status: "Rejected" }));
  // M01, M02: no contract certificate pool.
  routes.on2("Get15118EVCertificate", () => ({ status: "Failed", exiResponse: "" }));
  // M06.FR.04
  routes.on2("GetCertificateStatus", () => ({ status: "Failed" }));
  routes.on2("GetCertificateChainStatus", ({ certificateStatusRequests }) => ({
    // M07.FR.02, M07.FR.05 and M07.FR.08
    certificateStatus: certificateStatusRequests.map(({ certificateHashData, source }) => ({
      certificateHashData,
      source,
      status: "Failed",
      nextUpdate: new Date(clock.now().getTime() + STATUS_RETRY_MS).toISOString(),
    })),
  }));
}
