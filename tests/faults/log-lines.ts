/** What a machine that is too busy for its database makes of queries; nothing that a station said. */
const slowDatabase = /timeout exceeded when trying to connect|terminated due to connection timeout/;

/** Most findings that are kept. */
const MOST = 20;

/** Where a log goes, each entry of which must be one line with one JSON object, and none an error. */
export class LogLines {
  count = 0;
  /** Messages that failed because the database gave no connection in time. */
  slowDatabase = 0;
  readonly findings: string[] = [];

  write(text: string): void {
    this.count++;
    if (this.findings.length >= MOST) return;
    try {
      const isLine = text.endsWith("\n") && !/[\n\r\u2028\u2029]/.test(text.slice(0, -1));
      const line: unknown = isLine ? JSON.parse(text) : undefined;
      if (typeof line !== "object" || line === null) throw new SyntaxError("not one line with one object");
      const { level, msg } = line as { readonly level?: number; readonly msg?: string };
      if (level === undefined || level < 50) return;
      if (slowDatabase.test(text)) this.slowDatabase++;
      else this.findings.push(`the log says "${msg}": ${text.slice(0, 2_000)}`);
    } catch {
      this.findings.push(`no line of a log: ${JSON.stringify(text.slice(0, 500))}`);
    }
  }
}
