export type * from "./domain-event.ts";
export { EventLog, type EventLogOptions } from "./event-log.ts";
export { deleteExpiredEvents, type EventRetentionOptions, keepEvents } from "./event-retention.ts";
export type * from "./event-sink.ts";
export { type EventBatch, type EventFilter, type EventListQuery, EventStore } from "./event-store.ts";
export { migrations } from "./migrations.ts";
