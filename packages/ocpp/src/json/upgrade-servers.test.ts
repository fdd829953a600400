import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { atEnd, cleanUp } from "./clean-up-fixture.ts";
import { JsonCsms } from "./json-csms.ts";
import { connect, csmsOf, currentTime, gate, open, refusal } from "./raw-station-fixture.ts";

afterEach(cleanUp);

describe("close", () => {
  test("lets running answers out, closes with 1001, and takes nobody any more", async () => {
    const answer = gate<{ currentTime: string }>();
    const { csms, url } = await csmsOf();
    csms.handle("1.6", "Heartbeat", () => answer.promise);
    const station = await connect(`${url}/CS1`);
    station.socket.send('[2,"1","Heartbeat",{}]');
    const other = await connect(`${url}/CS2`);
    await other.ask(2, "2", "NoSuchThing", {});
    const closing = csms.close();
    answer.open({ currentTime });
    expect(await station.next()).toEqual([3, "1", { currentTime }]);
    expect(await Promise.all([station.closed, other.closed])).toMatchObject([{ code: 1001 }, { code: 1001 }]);
    await closing;
    expect(csms.connections.size).toBe(0);
    await expect(once(open(`${url}/CS3`), "open")).rejects.toThrow();
  });

  test("answers 503 to those that come meanwhile on a server of the caller", async () => {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    atEnd(() => server.close());
    const csms = new JsonCsms();
    csms.attach(server);
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/ocpp/CS1`;
    const never = new Promise<{ currentTime: string }>(() => {});
    csms.handle("1.6", "Heartbeat", () => never);
    const station = await connect(url);
    station.socket.send('[2,"1","Heartbeat",{}]');
    await station.ask(2, "2", "NoSuchThing", {});
    const closing = csms.close({ graceMs: 200 });
    expect((await refusal(url)).statusCode).toBe(503);
    await closing;
    expect(server.listenerCount("upgrade")).toBe(0);
  });
});

describe("a server of the caller", () => {
  test("keeps its own requests and upgrades", async () => {
    const server = createServer((_request, response) => response.end("mine"));
    const csms = new JsonCsms({ path: "/charge/" });
    csms.handle("1.6", "Heartbeat", () => ({ currentTime }));
    csms.attach(server);
    csms.attach(server);
    const others: (string | undefined)[] = [];
    server.on("upgrade", (request, socket) => {
      if (request.url?.startsWith("/charge") === true) return;
      others.push(request.url);
      socket.end("HTTP/1.1 418 I'm a teapot\r\nConnection: close\r\n\r\n");
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    atEnd(() => server.close());
    atEnd(() => csms.close({ graceMs: 0 }));
    const base = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const station = await connect(`ws://${base}/charge/CS1`);
    expect(await station.ask(2, "1", "Heartbeat", {})).toEqual([3, "1", { currentTime }]);
    expect((await refusal(`ws://${base}/console`)).statusCode).toBe(418);
    expect(others).toEqual(["/console"]);
    expect(await (await fetch(`http://${base}/`)).text()).toBe("mine");
  });

  test("a taken port is told", async () => {
    const { port } = await csmsOf();
    await expect(new JsonCsms().listen({ port, host: "127.0.0.1" })).rejects.toMatchObject({ code: "EADDRINUSE" });
  });
});
