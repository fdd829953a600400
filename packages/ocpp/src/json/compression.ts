/** permessage-deflate (RFC 7692), always without context takeover. */
export interface CompressionOptions {
  /** Shorter messages go uncompressed; bytes. */
  readonly thresholdBytes: number;
}

/** The options of `ws`, in either role; spelled out here, so that users of our types need not install those of `ws`. */
export interface DeflateOptions {
  readonly threshold: number;
  readonly serverNoContextTakeover: true;
  readonly clientNoContextTakeover: true;
  readonly zlibDeflateOptions: { readonly level: number; readonly memLevel: number; readonly chunkSize: number };
  readonly zlibInflateOptions: { readonly chunkSize: number };
}

/** Each direction of a connection that has compressed keeps one such buffer; 16 KiB is what Node.js would take. */
const CHUNK_BYTES = 4_096;

/** What {@link CompressionOptions} mean to `ws`. */
export function deflateOptions(compression: CompressionOptions | false | undefined): DeflateOptions | false {
  if (compression === false) return false;
  const threshold = compression?.thresholdBytes ?? 1_024;
  // Level 3 costs far less time than the default and compresses JSON nearly as well.
  const zlibDeflateOptions = { level: 3, memLevel: 6, chunkSize: CHUNK_BYTES };
  const zlibInflateOptions = { chunkSize: CHUNK_BYTES };
  const withoutTakeover = { serverNoContextTakeover: true, clientNoContextTakeover: true } as const;
  return { threshold, ...withoutTakeover, zlibDeflateOptions, zlibInflateOptions };
}
