/** The embedded database cannot run here; the message says why and what the operator can do. */
export class EmbeddedDatabaseError extends Error {
  override readonly name = "EmbeddedDatabaseError";
}

/** The errno name of a failed system call (`ENOENT`, `EACCES`), or undefined for any other error. */
export function systemErrorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** What PostgreSQL or a system call said, as an error that an operator understands. */
export function explainFailure(what: string, directory: string, output: string, cause?: unknown): Error {
  const said = output.trim().split("\n").slice(-8).join("\n");
  const options = cause === undefined ? undefined : { cause };
  const code = systemErrorCode(cause);
  if (code === "ENOSPC" || code === "EDQUOT" || /No space left on device|Disk quota exceeded/.test(said)) {
    return new EmbeddedDatabaseError(`${what}: the disk that holds ${directory} is full`, options);
  }
  if (code === "EROFS" || /Read-only file system/.test(said)) {
    return new EmbeddedDatabaseError(`${what}: ${directory} lies on a read-only file system`, options);
  }
  if (code === "EACCES" || code === "EPERM") {
    return new EmbeddedDatabaseError(
      `${what}: ${directory} cannot be written by this user; give it to the user or choose another POLYPHASE_DATA_DIR`,
      options,
    );
  }
  const detail = said !== "" ? said : cause instanceof Error ? cause.message : "no reason given";
  return new EmbeddedDatabaseError(`${what}: ${detail}`, options);
}
