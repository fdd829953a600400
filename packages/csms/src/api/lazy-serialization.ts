import { createRequire } from "node:module";
import type { FastifyServerOptions } from "fastify";

type SchemaController = NonNullable<FastifyServerOptions["schemaController"]>;
type CompilersFactory = NonNullable<SchemaController["compilersFactory"]>;
type BuildSerializer = NonNullable<CompilersFactory["buildSerializer"]>;

// Fastify's own, as Fastify finds it: another version could serialize otherwise.
const requireOfFastify = createRequire(createRequire(import.meta.url).resolve("fastify"));
const selectSerializer = requireOfFastify("@fastify/fast-json-stringify-compiler") as () => BuildSerializer;

/**
 * Compiles the serializer of a response when the first such response is sent. Fastify compiles those of all routes
 * when it starts, which would be a fifth of the time until a CSMS that was killed serves again.
 */
export function lazySerialization(): SchemaController {
  const build = selectSerializer();
  return {
    compilersFactory: {
      buildSerializer(externalSchemas, options) {
        const compile = build(externalSchemas, options);
        return (route) => {
          let serialize: ReturnType<typeof compile> | undefined;
          return (payload) => {
            serialize ??= compile(route);
            return serialize(payload);
          };
        };
      },
    },
  };
}
