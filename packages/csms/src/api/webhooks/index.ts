export { migrations } from "./migrations.ts";
export { webhookRoutes } from "./routes.ts";
export { WebhookStore } from "./webhook-store.ts";
export { Webhooks, type WebhooksOptions } from "./webhooks.ts";
