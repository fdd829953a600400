import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { decodeCursor, PageOf, PageQuery, pageOfRows } from "../paging.ts";
import type { AuditLog } from "./audit-log.ts";
import type { AuditRecord } from "./audit-record.ts";
import type { AuditStore } from "./audit-store.ts";

const AuditRecordSchema = Type.Object({
  sequence: Type.Integer({ minimum: 1 }),
  at: Type.String({ format: "date-time" }),
  actor: Type.String({ description: "Name of the caller's API key" }),
  keyId: Type.Optional(Type.String()),
  role: Type.String(),
  action: Type.String({ description: "Operation id of the route" }),
  target: Type.String({ description: "Path of the request" }),
  status: Type.Integer({ description: "HTTP status of the answer" }),
  requestId: Type.String(),
  remoteAddress: Type.String(),
  detail: Type.Object({}, { additionalProperties: true }),
  hash: Type.String({ description: "SHA-256 over the previous record's hash and this record, in hexadecimal" }),
});

const Verdict = Type.Object({
  isIntact: Type.Boolean(),
  records: Type.Integer({ description: "Records that were found intact from the first on" }),
  lastHash: Type.Optional(Type.String({ description: "Compare with a copy kept elsewhere" })),
  brokenAt: Type.Optional(Type.Integer({ description: "Sequence of the first record that does not fit" })),
  reason: Type.Optional(Type.String()),
});

/** Routes that read and verify the audit log; for administrators. */
export function auditRoutes(audit: AuditLog, store: AuditStore): FastifyPluginAsyncTypebox {
  const config = { role: "administrator" } as const;
  return async (app) => {
    app.get(
      "/audit",
      {
        config,
        schema: {
          operationId: "listAuditRecords",
          tags: ["audit"],
          summary: "List operator actions, newest first",
          querystring: Type.Object({
            ...PageQuery.properties,
            actor: Type.Optional(Type.String({ maxLength: 100 })),
            action: Type.Optional(Type.String({ maxLength: 100 })),
          }),
          response: { 200: PageOf(AuditRecordSchema) },
        },
      },
      async ({ query: { limit, cursor, actor, action } }) => {
        const before = cursor === undefined ? undefined : decodeCursor(cursor, ["number"])[0];
        const rows = await store.list({ actor, action, before, limit: limit + 1 });
        return pageOfRows(rows, limit, recordJson, (row) => [row.sequence]);
      },
    );
    app.get(
      "/audit/verification",
      {
        config,
        schema: {
          operationId: "verifyAuditLog",
          tags: ["audit"],
          summary: "Check that no record was changed, removed or inserted",
          description:
            "That the newest records were cut off shows only when `lastHash` is compared with a copy kept elsewhere.",
          response: { 200: Verdict },
        },
      },
      () => audit.verify(),
    );
  };
}

function recordJson({ previousHash: _, keyId, ...record }: AuditRecord) {
  return {
    ...record,
    ...(keyId === undefined ? {} : { keyId }),
    at: record.at.toISOString(),
    detail: JSON.parse(record.detail) as Record<string, unknown>,
    hash: record.hash.toString("hex"),
  };
}
