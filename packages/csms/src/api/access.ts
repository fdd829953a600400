import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { Kysely } from "kysely";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import { AuditLog } from "./audit/audit-log.ts";
import { AuditStore } from "./audit/audit-store.ts";
import { auditRoutes } from "./audit/routes.ts";
import { ApiKeyStore } from "./keys/api-key-store.ts";
import { ApiKeys } from "./keys/api-keys.ts";
import { apiKeyRoutes } from "./keys/routes.ts";
import { FirstAdministrator } from "./setup/first-administrator.ts";
import { setupPage, setupRoute } from "./setup/routes.ts";

/** Who may use the API, and what they did. */
export interface Access {
  readonly keys: ApiKeys;
  readonly audit: AuditLog;
  readonly firstAdministrator: FirstAdministrator;
  /** Routes below `/api/v1`. */
  readonly api: FastifyPluginAsyncTypebox;
  /** Pages at the root. */
  readonly pages: FastifyPluginAsyncTypebox;
  load(): Promise<void>;
  /** Writes what is only in memory yet; call after the server is closed and before the database is. */
  close(): Promise<void>;
}

/** Makes API keys, the audit log and the set-up of the first administrator. */
export function createAccess(deps: {
  readonly database: Kysely<unknown>;
  readonly clock: Clock;
  readonly log: Logger;
  /** `POLYPHASE_ADMIN_TOKEN`. */
  readonly adminToken?: string | undefined;
}): Access {
  const { database, clock, log, adminToken } = deps;
  const keys = new ApiKeys({ store: new ApiKeyStore(database), clock, log, adminToken });
  const auditStore = new AuditStore(database);
  const audit = new AuditLog({ store: auditStore, log });
  const firstAdministrator = new FirstAdministrator(keys);
  return {
    keys,
    audit,
    firstAdministrator,
    api: async (app) => {
      await app.register(apiKeyRoutes(keys, clock));
      await app.register(auditRoutes(audit, auditStore));
      await app.register(setupRoute(firstAdministrator, audit, clock));
    },
    pages: setupPage(firstAdministrator),
    load: () => keys.load(),
    async close() {
      await keys.close();
      await audit.close();
    },
  };
}
