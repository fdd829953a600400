import type { PerMessageDeflateOptions } from "ws";

/** permessage-deflate (RFC 7692), always without context takeover. */
export interface CompressionOptions {
  /** Shorter messages go uncompressed; bytes. */
  readonly thresholdBytes: number;
}

/** The options of `ws`, in either role. */
export function deflateOptions(compression: CompressionOptions | false | undefined): PerMessageDeflateOptions | false {
  if (compression === false) return false;
  const threshold = compression?.thresholdBytes ?? 1_024;
  // Level 3 costs far less time than the default and compresses JSON nearly as well.
  const zlibDeflateOptions = { level: 3, memLevel: 6 };
  return { threshold, serverNoContextTakeover: true, clientNoContextTakeover: true, zlibDeflateOptions };
}
