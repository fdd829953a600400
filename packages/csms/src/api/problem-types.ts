/** A kind of problem that the API answers with. */
export interface ProblemType {
  readonly status: number;
  readonly title: string;
  /** What it means and what the client can do. */
  readonly explanation: string;
}

/** Every problem type that the server itself uses; its slug ends the `type` of the document. */
export const problemTypes = {
  validation: {
    status: 400,
    title: "The request is not valid",
    explanation: "A part of the request breaks its schema. `errors` names each field and the rule it breaks.",
  },
  "malformed-body": {
    status: 400,
    title: "The body cannot be read",
    explanation: "The body is not JSON, is empty where one is needed, or is shorter than announced.",
  },
  unauthorized: {
    status: 401,
    title: "A bearer token is required",
    explanation: "Send `Authorization: Bearer TOKEN` with an API key that has not expired or been deleted.",
  },
  forbidden: {
    status: 403,
    title: "The role does not allow this",
    explanation: "The key is valid, but the route asks for a more powerful role.",
  },
  "setup-closed": {
    status: 403,
    title: "The set-up link is not valid",
    explanation: "It was used, an administrator exists, or the server has restarted and printed a new one.",
  },
  "not-found": {
    status: 404,
    title: "Not found",
    explanation: "There is no such path, or no such resource.",
  },
  "unknown-command": {
    status: 404,
    title: "There is no such command",
    explanation: "Commands are named as the actions of OCPP 2.1 that a CSMS may send, in lower camel case.",
  },
  "method-not-allowed": {
    status: 405,
    title: "The method is not allowed here",
    explanation: "The path exists with other methods; the `Allow` header lists them.",
  },
  conflict: {
    status: 409,
    title: "The resource's state does not allow this",
    explanation: "The request is right in itself but does not fit what is stored now.",
  },
  "body-too-large": {
    status: 413,
    title: "The body is too large",
    explanation: "Send less at once.",
  },
  "unsupported-media-type": {
    status: 415,
    title: "The media type is not supported",
    explanation: "Send `Content-Type: application/json`.",
  },
  "unknown-action": {
    status: 422,
    title: "The station's version has no such action",
    explanation: "The action does not exist in the OCPP version of the station, or a CSMS may not send it.",
  },
  "command-not-supported": {
    status: 422,
    title: "The station's version cannot do this",
    explanation: "The command has no counterpart in the OCPP version of the station. Nothing was sent to it.",
  },
  "too-many-attempts": {
    status: 429,
    title: "Too many attempts",
    explanation: "Too many credentials from this address were wrong. Wait as `Retry-After` tells.",
  },
  internal: {
    status: 500,
    title: "The server failed",
    explanation: "A defect or an unforeseen state. The log holds the cause under `requestId`.",
  },
  "station-answered-error": {
    status: 502,
    title: "The station answered with an error",
    explanation:
      "The station answered with a CALLERROR or a Fault, or with a response that breaks its schema. " +
      "A station that refuses a command in the regular way is no problem: its response is the answer.",
  },
  "station-offline": {
    status: 503,
    title: "The station is not connected",
    explanation:
      "Nothing was sent, or the connection ended before the answer. `wasAsked` tells which: when it is true, whether " +
      "the station acted is not known. Try again when it is connected.",
  },
  "station-busy": {
    status: 503,
    title: "Too many calls wait for the station",
    explanation:
      "A station is asked one thing at a time, and the queue before it is full or did not move in time. Nothing was sent.",
  },
  "database-unavailable": {
    status: 503,
    title: "The database is not available",
    explanation: "Nothing was stored. Try again as `Retry-After` tells.",
  },
  "too-many-streams": {
    status: 503,
    title: "Too many streams are open",
    explanation: "The server follows events for as many readers as it is made for. Try again as `Retry-After` tells.",
  },
  "station-timeout": {
    status: 504,
    title: "The station did not answer in time",
    explanation: "The request was sent. Whether the station acted on it is not known.",
  },
} as const satisfies Record<string, ProblemType>;

/** Slug of a problem type that the server itself uses. */
export type ProblemSlug = keyof typeof problemTypes;
