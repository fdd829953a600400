import type { TransferStep } from "./transfer-reports.ts";

/** How long a simulated station tries to reach a file server. */
const ATTEMPT_MS = 10_000;

/** What a CSMS asks of a transfer. */
export interface TransferRequest {
  /** Further attempts after the first one. */
  readonly retries?: number | undefined;
  /** Seconds between attempts. */
  readonly retryInterval?: number | undefined;
}

/** The course of a transfer whose file server is not there, in the version's words for trying and for giving up. */
export function failingTransfer(trying: string, failed: string, request: TransferRequest): readonly TransferStep[] {
  const { retries = 0, retryInterval = 60 } = request;
  const lastsMs = ATTEMPT_MS + Math.max(0, retries) * Math.max(0, retryInterval) * 1000;
  return [
    { status: trying, lastsMs },
    { status: failed, lastsMs: 0 },
  ];
}

/** Milliseconds from `now` until a moment that a CSMS named; 0 when it has passed or cannot be read. */
export function waitUntilMs(moment: string, now: number): number {
  const at = Date.parse(moment);
  return Number.isNaN(at) ? 0 : Math.max(0, at - now);
}
