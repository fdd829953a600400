import Fastify, { type FastifyInstance } from "fastify";

type SerializerCompiler = NonNullable<FastifyInstance["serializerCompiler"]>;

/** Fastify's own compiler, which an instance shows once it is ready and has a route that needs it. */
async function compilerOfFastify(shared: readonly object[]): Promise<SerializerCompiler> {
  const instance = Fastify();
  for (const schema of shared) instance.addSchema(schema);
  instance.get("/", { schema: { response: { 200: { type: "null" } } } }, async () => null);
  await instance.ready();
  const { serializerCompiler } = instance;
  await instance.close();
  if (serializerCompiler === undefined || serializerCompiler === null) {
    throw new Error("Fastify shows no compiler of serializers");
  }
  return serializerCompiler;
}

/**
 * Compiles the serializer of a response when the first such response is sent. Fastify compiles those of all routes
 * when it starts, which would be a fifth of the time until a CSMS that was killed serves again. `shared` are the schemas
 * that those of responses refer to.
 */
export async function lazySerialization(shared: readonly object[]): Promise<SerializerCompiler> {
  const compile = await compilerOfFastify(shared);
  return (route) => {
    let serialize: ReturnType<typeof compile> | undefined;
    return (payload) => {
      serialize ??= compile(route);
      return serialize(payload);
    };
  };
}
