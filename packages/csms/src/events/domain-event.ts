/** What happened, in words of OCPP 2.1. `type` decides the shape of `data`. */
export type DomainEvent =
  | Event<"station.registered", { readonly registrationStatus: "Accepted" | "Pending" | "Rejected" }>
  | Event<"station.approved", { readonly by: string }>
  | Event<"station.connected", { readonly version: string; readonly remoteAddress: string }>
  | Event<"station.disconnected", { readonly reason: string }>
  | Event<"station.booted", { readonly reason: string; readonly vendorName: string; readonly model: string }>
  | Event<"station.deleted", Record<string, never>>
  | Event<
      "connector.status-changed",
      { readonly evseId: number; readonly connectorId: number; readonly status: string; readonly errorCode?: string }
    >
  | Event<"station.fault-reported", { readonly evseId: number; readonly errorCode: string; readonly info?: string }>
  | Event<"security.event", { readonly type: string; readonly techInfo?: string }>
  | Event<"transaction.started", TransactionFacts>
  | Event<"transaction.updated", TransactionFacts & { readonly triggerReason: string }>
  /** Its end has come; told once of each transaction. */
  | Event<"transaction.ended", TransactionFacts & { readonly stoppedReason: string }>
  /** It is over by a rule, though its end has not come. It may be resumed and abandoned again, or end after all. */
  | Event<"transaction.abandoned", TransactionFacts & { readonly abandonedBy: string }>
  /** It was abandoned, and was seen to go on. */
  | Event<"transaction.resumed", TransactionFacts & { readonly triggerReason: string }>
  /** It was over, and a late message has changed its energy, which `energyWh` tells anew. */
  | Event<"transaction.corrected", TransactionFacts>
  | Event<"id-token.changed", { readonly idToken: string; readonly change: "created" | "updated" | "deleted" }>
  | Event<"command.completed", { readonly command: string; readonly outcome: string }>
  | Event<"data-transfer.received", { readonly vendorId: string; readonly messageId?: string }>;

interface Event<Type extends string, Facts> {
  readonly type: Type;
  /** The station concerned; empty where none is. */
  readonly stationId: string;
  /** When it happened, by the station's clock where the station tells, else by ours. */
  readonly timestamp: Date;
  readonly data: Facts;
}

/** What every transaction event tells. */
export interface TransactionFacts {
  /** Identity of the transaction in this system: the `{id}` of `/transactions/{id}`. */
  readonly id: string;
  /** The transaction id that the station uses. */
  readonly transactionId: string;
  readonly evseId?: number;
  readonly connectorId?: number;
  readonly idToken?: string;
  readonly chargingState?: string;
  /** Energy imported since the start in Wh. */
  readonly energyWh?: number;
}

/** Kinds of domain events. */
export type DomainEventType = DomainEvent["type"];

/** A stored event: `id` grows in the order of commits and is what `Last-Event-ID` resumes from. */
export interface StoredEvent {
  readonly id: number;
  readonly event: DomainEvent;
}

/** Hands committed events to subscribers inside the process, in order. */
export interface EventBus {
  /** Returns the function that ends the subscription. A listener that throws does not disturb the others. */
  subscribe(listener: (stored: StoredEvent) => void): () => void;
}
