import type { Clock } from "../../clock.ts";
import { sign } from "./signature.ts";

/** The part of `fetch` that a delivery needs. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** What is posted. */
export interface DeliveryRequest {
  readonly url: string;
  readonly secret: string;
  /** The same at every attempt, so that the receiver can know a repeat. */
  readonly messageId: string;
  readonly body: string;
}

/** What came of an attempt. */
export interface DeliveryOutcome {
  readonly at: Date;
  readonly durationMs: number;
  readonly status?: number | undefined;
  /** Absent after success. */
  readonly error?: string | undefined;
  /** Seconds that the receiver asked to be left alone. */
  readonly retryAfterS?: number | undefined;
}

/** A receiver that has not answered after this long has failed. */
const TIMEOUT_MS = 15_000;

/**
 * Posts once. Redirects are not followed: they would lead a signed body to where no administrator sent it. Only the
 * status is looked at; the answer's body is thrown away unread.
 */
export async function deliver(
  { url, secret, messageId, body }: DeliveryRequest,
  clock: Clock,
  fetch: Fetch,
  signal: AbortSignal,
): Promise<DeliveryOutcome> {
  const at = clock.now();
  const startedMs = performance.now();
  const facts = () => ({ at, durationMs: Math.round(performance.now() - startedMs) });
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json; charset=utf-8",
        "user-agent": "polyphase-webhooks",
        ...sign(secret, messageId, at, body),
      },
      body,
      redirect: "manual",
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    await response.body?.cancel();
    const { status } = response;
    if (status >= 200 && status < 300) return { ...facts(), status };
    return { ...facts(), status, error: `answered ${status}`, retryAfterS: retryAfterOf(response) };
  } catch (error) {
    return { ...facts(), error: reasonOf(error) };
  }
}

function retryAfterOf(response: Response): number | undefined {
  const header = response.headers.get("retry-after");
  return header !== null && /^\d{1,6}$/.test(header) ? Number(header) : undefined;
}

/** `fetch` hides the reason in `cause`. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "failed";
  if (error.name === "TimeoutError") return `no answer within ${TIMEOUT_MS} ms`;
  const { cause } = error;
  const code = cause instanceof Error ? ((cause as { code?: unknown }).code ?? cause.message) : undefined;
  return typeof code === "string" && code !== "" ? `${error.message}: ${code}` : error.message;
}
