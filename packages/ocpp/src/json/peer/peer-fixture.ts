import type { OcppVersion, Role } from "../../catalogue/version.ts";
import type { EndpointObserver, WireMessage } from "../../connection.ts";
import { ManualTimers } from "../../endpoint/manual-timers.ts";
import { OutgoingCalls } from "./outgoing-calls.ts";
import { type PeerOptions, peerSettings } from "./peer-settings.ts";
import { RpcPeer } from "./rpc-peer.ts";
import type { Transport } from "./transport.ts";

/** A transport whose other end is the test. */
export class TestTransport implements Transport {
  readonly frames: unknown[][] = [];
  readonly closes: [number, string][] = [];
  isPaused = false;
  isTerminated = false;

  sendText(text: string): void {
    this.frames.push(JSON.parse(text) as unknown[]);
  }
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
  close(code: number, reason: string): void {
    this.closes.push([code, reason]);
  }
  terminate(): void {
    this.isTerminated = true;
  }
  /** The last frame that was sent. */
  get last(): unknown[] | undefined {
    return this.frames.at(-1);
  }
}

/** Peers on one transport, with time in the hand of the test, and what their observer was told. */
export function peerBench() {
  const timers = new ManualTimers();
  const wire = new TestTransport();
  const events: [string, string][] = [];
  const failures: unknown[] = [];
  const messages: WireMessage[] = [];
  const observer: EndpointObserver = {
    message: (message) => messages.push(message),
    ignored: ({ reason, messageId }) => events.push([reason, messageId]),
    violated: ({ violation }) => events.push(["violated", violation.rule]),
    tolerated: ({ rule }) => events.push(["tolerated", rule]),
    failed: ({ error }) => failures.push(error),
  };
  const peerOf = (version: OcppVersion = "1.6", options: PeerOptions = {}, role: Role = "CSMS") => {
    const settings = peerSettings(role, { timers, observer, ...options });
    const identity = { identity: "CS1", version, remoteAddress: "::1" };
    const peer = new RpcPeer(settings, identity, wire, new OutgoingCalls(settings));
    peer.start();
    return { peer, handlers: settings.handlers };
  };
  return { timers, wire, events, failures, messages, observer, peerOf };
}

/** A promise that the test settles. */
export function deferred<T>() {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((onValue) => {
    resolve = onValue;
  });
  return { promise, resolve };
}

/** Lets promises that are settled already have their effect. */
export const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

export const frame = (...elements: unknown[]) => JSON.stringify(elements);

export const idOf = (sent: unknown[] | undefined) => String(sent?.[1]);

export const currentTime = "2026-01-01T00:00:00Z";
