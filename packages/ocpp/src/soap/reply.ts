import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Connection, EndpointObserver, WireMessage } from "../connection.ts";
import type { AnswerBatch } from "./answer-batch.ts";
import { ANONYMOUS_ADDRESS, type Envelope, FAULT_ACTION, UNSPECIFIED_MESSAGE, writeEnvelope } from "./envelope.ts";
import { faultBody, type SoapFault } from "./fault.ts";
import { acceptedCoding, type ContentCoding, compressText } from "./http-body.ts";
import { namespaceOf, type SoapVersion } from "./soap-version.ts";

const CONTENT_TYPE = "application/soap+xml; charset=utf-8";

/** What a reply needs to know of its endpoint. */
export interface ReplySettings {
  readonly observer: EndpointObserver | undefined;
  readonly compressionThresholdBytes: number;
  readonly answers: AnswerBatch;
  createMessageId(): string;
  from(): string | undefined;
}

/** The HTTP response to one request; it learns about the request step by step and can be sent at any of them. */
export class SoapReply {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #settings: ReplySettings;
  #version: SoapVersion | undefined;
  #addressingNamespace: string | undefined;
  /** Of the service, as the request spells it. */
  namespace = namespaceOf("1.6", "CentralSystemService");
  /** The peer of the request, once it is identified. */
  connection: Connection | undefined;
  /** The identity as the request gives it, whether it was accepted or not; "" while unknown. */
  identity = "";
  /** The action of the request; "" while unknown. */
  action = "";
  /** MessageID of the request; "" when it has none. */
  messageId = "";

  constructor(request: IncomingMessage, response: ServerResponse, settings: ReplySettings) {
    this.#request = request;
    this.#response = response;
    this.#settings = settings;
  }

  /** Notes what the envelope says. */
  answers(version: SoapVersion, namespace: string, envelope: Envelope): void {
    this.#version = version;
    this.namespace = namespace;
    this.#addressingNamespace = envelope.addressingNamespace;
    this.identity = envelope.chargeBoxIdentity ?? "";
    this.messageId = envelope.addressing.messageId ?? "";
  }

  /** Notes whose request it is, and logs it. */
  from(connection: Connection, action: string, text: string): void {
    this.connection = connection;
    this.identity = connection.identity;
    this.action = action;
    this.#observe("received", "CALL", text);
  }

  /** Sends the response's body element. */
  result(body: string): Promise<void> | undefined {
    const envelope = this.#envelope(`/${this.action}Response`, body);
    this.#observe("sent", "CALLRESULT", envelope);
    return this.#send(200, {}, envelope);
  }

  /** Sends a Fault in place of a response. */
  async fault(fault: SoapFault): Promise<void> {
    const envelope = this.#envelope(FAULT_ACTION, faultBody(fault));
    this.#observe("sent", "CALLERROR", envelope, fault.subcode ?? fault.code);
    await this.#send(fault.httpStatus, fault.httpHeaders, envelope);
  }

  /** Some stations insist on MessageID, To and RelatesTo in responses, so they are always there. */
  #envelope(action: string, body: string): string {
    return writeEnvelope({
      namespace: this.namespace,
      addressingNamespace: this.#addressingNamespace,
      addressing: {
        action,
        messageId: this.#settings.createMessageId(),
        relatesTo: this.messageId === "" ? UNSPECIFIED_MESSAGE : this.messageId,
        from: this.#settings.from(),
        to: ANONYMOUS_ADDRESS,
      },
      body,
      isRequest: false,
    });
  }

  /** A promise only where the body takes time to be compressed. */
  #send(status: number, headers: Readonly<Record<string, string>>, envelope: string): Promise<void> | undefined {
    const length = Buffer.byteLength(envelope);
    if (length >= this.#settings.compressionThresholdBytes) {
      const coding = acceptedCoding(this.#request.headers["accept-encoding"]);
      if (coding !== undefined) return this.#sendCompressed(status, headers, envelope, coding);
    }
    // As text it goes out in one write with the headers; as bytes it would take two.
    this.#sendSoon(status, { "content-type": CONTENT_TYPE, "content-length": length, ...headers }, envelope);
    return undefined;
  }

  async #sendCompressed(
    status: number,
    headers: Readonly<Record<string, string>>,
    envelope: string,
    coding: ContentCoding,
  ): Promise<void> {
    const body = await compressText(envelope, coding);
    const encoding = { "content-encoding": coding, vary: "accept-encoding" };
    this.#sendSoon(
      status,
      { "content-type": CONTENT_TYPE, "content-length": body.length, ...encoding, ...headers },
      body,
    );
  }

  #sendSoon(status: number, headers: OutgoingHttpHeaders, body: string | Buffer): void {
    const response = this.#response;
    this.#settings.answers.add(() => {
      // Nobody is there to be answered any more, or an answer has gone out.
      if (response.destroyed || response.headersSent) return;
      response.writeHead(status, headers).end(body);
    });
  }

  #observe(direction: WireMessage["direction"], kind: WireMessage["kind"], text: string, errorCode?: string): void {
    if (this.#version === undefined || this.connection === undefined) return;
    this.#settings.observer?.message?.({
      identity: this.identity,
      version: this.#version,
      transport: "OCPP-S",
      direction,
      kind,
      action: this.action,
      messageId: this.messageId,
      text,
      ...(errorCode !== undefined && { errorCode }),
    });
  }
}
