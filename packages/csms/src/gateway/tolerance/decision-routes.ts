import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { PageOf } from "../../api/paging.ts";
import { requireStation, StationParams } from "../station-params.ts";
import { toleranceRules } from "./catalogue.ts";
import type { DeviationApiDeps } from "./deviation-routes.ts";

const RuleName = Type.Enum(
  toleranceRules.map(({ name }) => name),
  { description: "Name of a rule that can be switched" },
);
const Enabled = Type.Boolean({ description: "Whether the deviation is tolerated" });

const StationRule = Type.Object({
  rule: Type.String(),
  description: Type.String(),
  enabled: Enabled,
  decidedFor: Type.Enum(["station", "model", "default"], {
    description: "What the decision was made for; `default` when nobody has decided",
  }),
});

const Pattern = Type.String({
  minLength: 1,
  maxLength: 100,
  description: "As BootNotification tells it; `*` stands for any text, and case does not count",
});
const ModelRule = Type.Object({ vendorName: Pattern, model: Pattern, rule: Type.String(), enabled: Enabled });

const tags = ["deviations"];

/** Routes that decide whether deviations are tolerated of one station. */
export function stationDecisionRoutes({ stations, deviations }: DeviationApiDeps): FastifyPluginAsyncTypebox {
  const params = Type.Object({ ...StationParams.properties, rule: RuleName });
  return async (server) => {
    server.get(
      "/stations/:stationId/tolerances",
      {
        schema: {
          tags,
          summary: "List the deviations that can be tolerated of a station, and whether they are",
          params: StationParams,
          response: { 200: PageOf(StationRule) },
        },
      },
      async ({ params: { stationId } }) => {
        requireStation(stations, stationId);
        return { items: [...deviations.rules.of(stationId)], nextCursor: null };
      },
    );
    server.put(
      "/stations/:stationId/tolerances/:rule",
      {
        schema: {
          tags,
          summary: "Decide whether a deviation is tolerated of a station",
          description: "Counts before what was decided for its model, from the next message on.",
          params,
          body: Type.Object({ enabled: Enabled }, { additionalProperties: false }),
          response: { 204: Type.Null() },
        },
      },
      async (request, reply) => {
        const { stationId, rule } = request.params;
        requireStation(stations, stationId);
        request.auditDetail = { rule, enabled: request.body.enabled };
        await deviations.settings.decide(stationId, rule, request.body.enabled);
        return await reply.code(204).send(null);
      },
    );
    server.delete(
      "/stations/:stationId/tolerances/:rule",
      {
        schema: {
          tags,
          summary: "Take back what was decided about a deviation of a station",
          params,
          response: { 204: Type.Null() },
        },
      },
      async (request, reply) => {
        const { stationId, rule } = request.params;
        requireStation(stations, stationId);
        request.auditDetail = { rule };
        await deviations.settings.decide(stationId, rule, undefined);
        return await reply.code(204).send(null);
      },
    );
  };
}

/** Routes that decide whether deviations are tolerated of all stations of a model. */
export function modelDecisionRoutes({ deviations }: DeviationApiDeps): FastifyPluginAsyncTypebox {
  const params = Type.Object({ rule: RuleName });
  return async (server) => {
    server.get(
      "/model-tolerances",
      {
        schema: {
          tags,
          summary: "List what was decided about deviations of whole models",
          response: { 200: PageOf(ModelRule) },
        },
      },
      async () => ({ items: [...deviations.rules.models.all()], nextCursor: null }),
    );
    server.put(
      "/model-tolerances/:rule",
      {
        schema: {
          tags,
          summary: "Decide whether a deviation is tolerated of the stations of a model",
          description:
            "Counts from the next message on, also of stations that come later, unless something else was decided " +
            "for the station. Of several patterns that fit, the one with most characters besides asterisks counts.",
          params,
          body: Type.Object({ vendorName: Pattern, model: Pattern, enabled: Enabled }, { additionalProperties: false }),
          response: { 204: Type.Null() },
        },
      },
      async (request, reply) => {
        const decision = { rule: request.params.rule, ...request.body };
        request.auditDetail = decision;
        await deviations.settings.decideModel(decision);
        return await reply.code(204).send(null);
      },
    );
    server.delete(
      "/model-tolerances/:rule",
      {
        schema: {
          tags,
          summary: "Take back what was decided about a deviation of a model",
          params,
          querystring: Type.Object({ vendorName: Pattern, model: Pattern }),
          response: { 204: Type.Null() },
        },
      },
      async (request, reply) => {
        const decision = { rule: request.params.rule, ...request.query };
        request.auditDetail = decision;
        await deviations.settings.forgetModel(decision);
        return await reply.code(204).send(null);
      },
    );
  };
}
