import { connect, type Socket } from "node:net";
import { deflateRawSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { newIds, useHonestCsms } from "../system/honest-csms.ts";
import { counted, RawStation, rawRequest } from "../system/raw-station.ts";
import { opcodes, RawWebSocket } from "./raw-websocket.ts";
import { soapEnvelope } from "./station-messages.ts";

const MEBIBYTE = 2 ** 20;
const wrong = `Basic ${Buffer.from("VICTIM:wrong password 000").toString("base64")}`;
const password = "right password 0001";
const right = (identity: string) => `Basic ${Buffer.from(`${identity}:${password}`).toString("base64")}`;

const running = useHonestCsms();

const newId = newIds();

function open(
  identity: string,
  options: { compression?: boolean; authorization?: string } = {},
): Promise<RawWebSocket> {
  const { compression = false, authorization } = options;
  return RawWebSocket.connect(running.csms.ocppPort, `/ocpp/${identity}`, {
    ...{ subprotocol: "ocpp1.6", compression },
    ...(authorization === undefined ? {} : { headers: { Authorization: authorization } }),
  });
}

/** Sends a Heartbeat and resolves with what comes back. */
function heartbeat(socket: RawWebSocket): Promise<unknown> {
  const answer = new Promise((resolve) => {
    socket.onText = (text) => resolve(JSON.parse(text));
  });
  socket.frame('[2,"h","Heartbeat",{}]');
  return answer;
}

const served = [3, "h", { currentTime: expect.any(String) }];

describe("a message without end", () => {
  it("in fragments is cut off when it is too large, and memory is not kept for it", async () => {
    const socket = await open(newId("ENDLESS"));
    const piece = Buffer.alloc(16 * 1_024, "x");
    socket.frame('[2,"1","DataTransfer",{"vendorId":"', { isFinal: false });
    for (let sent = 0; sent < 2 * MEBIBYTE; sent += piece.length) {
      socket.frame(piece, { opcode: opcodes.continuation, isFinal: false });
    }
    expect(await socket.ended).toMatchObject({ code: 1009 });
  });

  it("in empty fragments is cut off when there are too many", async () => {
    const socket = await open(newId("EMPTY"));
    socket.frame("[", { isFinal: false });
    const many = 50_000;
    for (let sent = 0; sent < many; sent++) socket.frame("", { opcode: opcodes.continuation, isFinal: false });
    const outcome = await Promise.race([
      socket.ended,
      new Promise<"open">((resolve) => {
        socket.onText = () => resolve("open");
        socket.frame("2]", { opcode: opcodes.continuation });
        socket.frame('[2,"h","Heartbeat",{}]');
      }),
    ]);
    expect(outcome === "open" || outcome.code === 1008 || outcome.code === 1009).toBe(true);
    socket.cut();
  });

  it("that its header says to be enormous is refused before its bytes come", async () => {
    const socket = await open(newId("TOLD"));
    socket.frame("[", { toldBytes: 2 ** 50 });
    expect(await socket.ended).toMatchObject({ code: 1009 });
  });
});

describe("a compression bomb", () => {
  it("ends its connection with 1009, whatever it would become", async () => {
    const socket = await open(newId("BOMB"), { compression: true });
    expect(socket.extensions).toContain("permessage-deflate");
    const bomb = deflateRawSync(Buffer.alloc(128 * MEBIBYTE, "x"));
    expect(bomb.length).toBeLessThan(MEBIBYTE);
    const before = process.memoryUsage().rss;
    socket.frame(bomb, { reserved: 4 });
    expect(await socket.ended).toMatchObject({ code: 1009 });
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * MEBIBYTE);
  });

  it("thrown by many at once ends theirs only", async () => {
    const bomb = deflateRawSync(Buffer.alloc(32 * MEBIBYTE, "x"));
    const sockets = await Promise.all(Array.from({ length: 10 }, () => open(newId("BOMBS"), { compression: true })));
    for (const socket of sockets) socket.frame(bomb, { reserved: 4 });
    await running.honest.expectServed();
    for (const socket of sockets) expect(await socket.ended).toMatchObject({ code: 1009 });
  });

  it("of OCPP-S is refused with 413", async () => {
    const answer = await rawRequest(running.urlFor("1.5"), {
      method: "POST",
      body: gzipSync(
        soapEnvelope("1.6", "BOMB", `<c:heartbeatRequest>${" ".repeat(32 * MEBIBYTE)}</c:heartbeatRequest>`),
      ),
      headers: { "content-type": "application/soap+xml", "content-encoding": "gzip" },
    });
    expect(answer.status).toBe(413);
  });
});

describe("an envelope made to be costly", () => {
  const attributes = (number: number, size: number) =>
    Array.from({ length: number }, (_, index) => ` a${index}="${"v".repeat(size)}"`).join("");
  const body = (inner: string) => soapEnvelope("1.6", "COSTLY", `<c:heartbeatRequest${inner}</c:heartbeatRequest>`);
  const doctype = (text: string, dtd: string) => text.replace("?>", `?>${dtd}`);
  const laughs = Array.from({ length: 30 }, (_, i) => `<!ENTITY l${i + 1} "&l${i};&l${i};&l${i};&l${i};">`).join("");

  it.each([
    { what: "10,000 attributes", text: () => body(`${attributes(10_000, 1)}>`) },
    { what: "an attribute of 800 kB", text: () => body(`${attributes(1, 800_000)}>`), status: [200, 400] },
    { what: "10,000 namespaces", text: () => body(`${attributes(10_000, 1).replaceAll(" a", " xmlns:a")}>`) },
    { what: "50,000 levels", text: () => body(`>${"<x>".repeat(50_000)}${"</x>".repeat(50_000)}`) },
    { what: "50,000 elements", text: () => body(`>${"<x/>".repeat(50_000)}`), status: [200, 400] },
    { what: "a name of 800 kB", text: () => body(`><${"x".repeat(800_000)}/>`), status: [200, 400] },
    { what: "a comment of 800 kB", text: () => body(`><!--${"x".repeat(800_000)}-->`), status: [200, 400] },
    { what: "laughs by the billion", text: () => doctype(body(">&l30;"), `<!DOCTYPE x [<!ENTITY l0 "ha">${laughs}]>`) },
    {
      what: "an entity that fetches",
      text: () => doctype(body(">&e;"), '<!DOCTYPE x [<!ENTITY e SYSTEM "http://127.0.0.1:1/">]>'),
    },
    {
      what: "parameter entities",
      text: () => doctype(body(">"), '<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///etc/passwd">%p;]>'),
    },
    { what: "a DTD elsewhere", text: () => doctype(body(">"), '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">') },
  ])("is answered at once: $what", async ({ text, status = [400] }) => {
    const answer = await rawRequest(running.urlFor("1.5"), {
      ...{ method: "POST", body: text() },
      headers: { "content-type": "application/soap+xml; charset=utf-8" },
    });
    expect(status, answer.text.slice(0, 300)).toContain(answer.status);
    expect(answer.text).not.toContain("root:");
  });
});

describe("a flood of handshakes", () => {
  /** Stations with a password, told by the operator. */
  async function register(identity: string): Promise<void> {
    await running.api("PUT", `/stations/${identity}`, { securityProfile: 1 });
    expect((await running.api("PUT", `/stations/${identity}/credentials`, { password })).status).toBeLessThan(300);
  }

  it("with wrong passwords neither keeps the station out that is known, nor costs more than a few hashes", async () => {
    await register("VICTIM");
    const known = await open("VICTIM", { authorization: right("VICTIM") });
    await known.close();
    const refusals = Array.from({ length: 300 }, () =>
      open("VICTIM", { authorization: wrong }).then(
        () => "accepted",
        (error: Error) => error.message.slice(0, 25),
      ),
    );
    // In the midst of it, from the very same address.
    const again = await open("VICTIM", { authorization: right("VICTIM") });
    expect(await heartbeat(again)).toEqual(served);
    const outcomes = await Promise.all(refusals);
    expect(outcomes.filter((outcome) => outcome === "refused with HTTP/1.1 401").length).toBeLessThanOrEqual(25);
    expect(outcomes.filter((outcome) => outcome === "refused with HTTP/1.1 429").length).toBeGreaterThan(200);
    await again.close();
    expect(await counted(running, "polyphase_station_handshakes_refused_total", ['cause="throttled"'])).toBeGreaterThan(
      200,
    );
  });

  it("of requests that never end lets an honest station in at once", async () => {
    const sockets = await Promise.all(
      Array.from(
        { length: 500 },
        () =>
          new Promise<Socket>((resolve, reject) => {
            const socket = connect(running.csms.ocppPort, "127.0.0.1", () => resolve(socket));
            socket.on("error", reject);
            socket.write("GET /ocpp/SLOW HTTP/1.1\r\nHost: x\r\nX-Slow: ");
          }),
      ),
    );
    for (const socket of sockets) socket.write("y");
    const station = await RawStation.boot16(running, newId("PROMPT"));
    await station.close();
    for (const socket of sockets) socket.on("error", () => {}).destroy();
  });

  it("of one identity leaves it connected once", async () => {
    const identity = newId("SAME");
    const all = await Promise.all(Array.from({ length: 100 }, () => open(identity)));
    const answered = await Promise.all(
      all.map((socket) => Promise.race([heartbeat(socket), socket.ended.then(() => "ended")])),
    );
    expect(answered.filter((answer) => answer !== "ended").length).toBeGreaterThanOrEqual(1);
    for (const socket of all) socket.cut();
  });
});

describe("identities that look alike", () => {
  it("are different stations, however they are encoded, and none takes the connection of another", async () => {
    const composed = "Caf\u00e9";
    const decomposed = "Cafe\u0301";
    const first = await open(encodeURIComponent(composed));
    const second = await open(encodeURIComponent(decomposed));
    const third = await open("caf%C3%A9");
    for (const socket of [first, second, third]) expect(await heartbeat(socket)).toEqual(served);
    // The same identity, written with escapes that need not be: it is the newest connection that counts.
    const same = await open("%43af%c3%A9");
    expect(await first.ended).toMatchObject({ code: 1008 });
    expect(await heartbeat(same)).toEqual(served);
    for (const socket of [second, third, same]) await socket.close();
    const { body } = await running.api("GET", `/stations/${encodeURIComponent(decomposed)}`);
    expect(body).toMatchObject({ stationId: decomposed });
  });

  it("that were encoded twice are decoded once", async () => {
    const socket = await open("CP%252F1");
    expect(await heartbeat(socket)).toEqual(served);
    expect((await running.api("GET", `/stations/${encodeURIComponent("CP%2F1")}`)).body).toMatchObject({
      connected: true,
    });
    await socket.close();
  });
});
