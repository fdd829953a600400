import type { StationMessageRoutes } from "../../gateway/station-messages.ts";
import { idTagInfoOf } from "./id-tag-info.ts";
import type { Authorizer } from "./index.ts";

/** Registers Authorize of family 1 (1.6 §4.1). ConcurrentTx is for StartTransaction only (1.6 §7.2). */
export function registerFamily1(routes: StationMessageRoutes, authorizer: Authorizer): void {
  routes.on1("Authorize", ({ idTag }, { stationId }) => ({
    idTagInfo: idTagInfoOf(authorizer.authorize({ idToken: idTag, stationId, purpose: "inform" })),
  }));
}
