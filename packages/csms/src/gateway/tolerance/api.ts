import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { modelDecisionRoutes, stationDecisionRoutes } from "./decision-routes.ts";
import { catalogueRoutes, type DeviationApiDeps, shownRoutes, sumRoutes } from "./deviation-routes.ts";

/** Routes to see which deviations there are and who shows them, and to decide which are tolerated. */
export function deviationRoutes(deps: DeviationApiDeps): FastifyPluginAsyncTypebox {
  return async (server) => {
    await server.register(catalogueRoutes());
    await server.register(sumRoutes(deps));
    await server.register(stationDecisionRoutes(deps));
    await server.register(modelDecisionRoutes(deps));
    await server.register(shownRoutes(deps));
  };
}
