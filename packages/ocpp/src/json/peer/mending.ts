import type { ToleranceHook } from "../../connection.ts";
import type { Frame } from "../frames/frame.ts";
import { parseFrame } from "../frames/read-frame.ts";
import type { Wire } from "./wire.ts";

/** How JSON writes the one character that most databases and all of XML cannot hold. */
const NUL_ESCAPE = "\\u0000";

function askHook(hook: ToleranceHook, wire: Wire, text: string): ReturnType<NonNullable<ToleranceHook["frame"]>> {
  try {
    return hook.frame?.({ identity: wire.identity, version: wire.version, text });
  } catch (error) {
    wire.failed("", error);
    return undefined;
  }
}

/** What the tolerance hook makes of a text that cannot be read, or holds a NUL; the frame as it was read otherwise. */
export function mended(hook: ToleranceHook | undefined, wire: Wire, text: string, read: Frame): Frame {
  if (hook?.frame === undefined || (read.kind !== "malformed" && !text.includes(NUL_ESCAPE))) return read;
  const mending = askHook(hook, wire, text);
  if (mending === undefined) return read;
  const frame = parseFrame(wire.version, mending.text);
  if (frame.kind === "malformed") return read;
  wire.tolerated("action" in frame ? frame.action : "", mending.rule, text);
  // The peer waits for an answer to the id that it sent, whatever a rule made of it.
  return read.kind === "malformed" ? frame : { ...frame, messageId: read.messageId };
}
