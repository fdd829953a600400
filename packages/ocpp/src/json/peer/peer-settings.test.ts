import { expect, test } from "vitest";
import { peerSettings } from "./peer-settings.ts";

test("limits that are not above 0 are refused", () => {
  for (const name of ["callTimeoutMs", "maxQueuedCalls", "maxConcurrentRequests", "maxFrameBytes", "maxUnsentBytes"]) {
    expect(() => peerSettings("CSMS", { [name]: 0 })).toThrow(name);
    expect(() => peerSettings("CSMS", { [name]: Number.NaN })).toThrow(name);
  }
});
