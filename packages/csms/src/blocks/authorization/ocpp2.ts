import type { StationMessageRoutes } from "../../gateway/station-messages.ts";
import type { Authorizer } from "./index.ts";

/** Registers Authorize of family 2 (C01 to C08). ConcurrentTx is for the start of a transaction only. */
export function registerFamily2(routes: StationMessageRoutes, authorizer: Authorizer): void {
  routes.on2("Authorize", ({ idToken, certificate, iso15118CertificateHashData }, { stationId }) => {
    if (certificate !== undefined || iso15118CertificateHashData !== undefined) {
      // C07.FR.17: a contract certificate that cannot be verified makes the token invalid; nothing here verifies one.
      return { idTokenInfo: { status: "Invalid" }, certificateStatus: "CertChainError" };
    }
    const { idToken: value, type } = idToken;
    return { idTokenInfo: authorizer.authorize({ idToken: value, type, stationId, purpose: "inform" }) };
  });
}
