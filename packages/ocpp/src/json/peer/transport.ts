/** What carries the frames: a WebSocket, or a pair of queues in a test. */
export interface Transport {
  /** Hands a frame over; silently drops it when the transport is gone. */
  sendText(text: string): void;
  /** Stops reading, so that the peer is slowed down; what was read already may still arrive. */
  pause(): void;
  resume(): void;
  /** Starts the closing handshake. */
  close(code: number, reason: string): void;
  /** Ends the transport at once. */
  terminate(): void;
}

/** Why a connection ended. */
export interface Ending {
  /** WebSocket close code; 1006 when the transport was lost without one. */
  readonly code: number;
  readonly reason: string;
  /** A newer connection of the same identity took its place. */
  readonly replacedBy?: boolean;
}

/** Reason of {@link Connection.closed}. */
export class ConnectionEndedError extends Error {
  override readonly name = "ConnectionEndedError";
  readonly code: number;
  readonly reason: string;

  constructor(ending: Ending) {
    super(`the connection ended with ${ending.code}${ending.reason === "" ? "" : `: ${ending.reason}`}`);
    this.code = ending.code;
    this.reason = ending.reason;
  }
}
