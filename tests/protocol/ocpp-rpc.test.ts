import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { JsonCsms, JsonStation, OcppError, type StationConnection } from "@polyphase/ocpp";
import { createRPCError, RPCClient, RPCServer } from "ocpp-rpc";
import { afterEach, describe, expect, test } from "vitest";

const currentTime = "2026-01-01T00:00:00Z";
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

type Subprotocol = "ocpp1.6" | "ocpp2.0.1";
const subprotocols = ["ocpp1.6", "ocpp2.0.1"] as const;

const boot = { currentTime, interval: 300, status: "Accepted" } as const;

const bootRequest = {
  "ocpp1.6": { chargePointVendor: "v", chargePointModel: "m" },
  "ocpp2.0.1": { reason: "PowerUp", chargingStation: { model: "m", vendorName: "v" } },
};

/** A transaction, as each version tells it. */
const transaction: Readonly<Record<Subprotocol, readonly (readonly [string, object, object])[]>> = {
  "ocpp1.6": [
    [
      "StartTransaction",
      { connectorId: 1, idTag: "T", meterStart: 0, timestamp: currentTime },
      { transactionId: 7, idTagInfo: { status: "Accepted" } },
    ],
    [
      "MeterValues",
      {
        connectorId: 1,
        transactionId: 7,
        meterValue: [
          { timestamp: currentTime, sampledValue: [{ value: "10.5", measurand: "Energy.Active.Import.Register" }] },
        ],
      },
      {},
    ],
    ["StopTransaction", { transactionId: 7, meterStop: 10, timestamp: currentTime }, {}],
  ],
  "ocpp2.0.1": (["Started", "Updated", "Ended"] as const).map((eventType, seqNo) => [
    "TransactionEvent",
    {
      eventType,
      seqNo,
      triggerReason: "MeterValuePeriodic",
      timestamp: currentTime,
      transactionInfo: { transactionId: "tx", chargingState: "Charging" },
      meterValue: [{ timestamp: currentTime, sampledValue: [{ value: 10.5 }] }],
    },
    eventType === "Started" ? { idTokenInfo: { status: "Accepted" } } : {},
  ]),
};

interface ForeignError {
  readonly rpcErrorCode?: string;
  readonly message: string;
}

const failure = (promise: Promise<unknown> | undefined) =>
  (promise ?? Promise.reject(new Error("no connection"))).then(
    (value) => {
      throw new Error(`it succeeded: ${JSON.stringify(value)}`);
    },
    (error: unknown) => error as ForeignError,
  );

describe("ocpp-rpc as a strict station on our CSMS", () => {
  async function connected(protocol: Subprotocol) {
    const csms = new JsonCsms({
      authenticate: ({ identity, authorization }) =>
        authorization?.username.toString() === identity && authorization.password.toString() === "a secret: of 20 b"
          ? { accept: true }
          : { accept: false, status: 401 },
    });
    csms
      .handle("1.6", "BootNotification", () => boot)
      .handle("1.6", "StartTransaction", async () => ({ transactionId: 7, idTagInfo: { status: "Accepted" } }))
      .handle("1.6", "MeterValues", () => ({}))
      .handle("1.6", "StopTransaction", () => ({}))
      .handle("2.0.1", "BootNotification", () => boot)
      .handle("2.0.1", "TransactionEvent", async ({ eventType }) =>
        eventType === "Started" ? { idTokenInfo: { status: "Accepted" } } : {},
      )
      .handle("1.6", "Authorize", () => {
        throw new OcppError("SecurityError", "not you");
      })
      .handle("2.0.1", "Authorize", () => {
        throw new OcppError("SecurityError", "not you");
      });
    const { port } = await csms.listen({ port: 0, host: "127.0.0.1" });
    cleanups.push(() => csms.close({ graceMs: 0 }));
    const endpoint = `ws://127.0.0.1:${port}/ocpp`;
    const station = foreignStation(endpoint, protocol, "a secret: of 20 b");
    await station.connect();
    return { csms, endpoint, station };
  }

  function foreignStation(endpoint: string, protocol: Subprotocol, password: string): RPCClient {
    const options = {
      endpoint,
      identity: "CS 1|%",
      protocols: [protocol],
      strictMode: true,
      password,
      reconnect: false,
    };
    const station = new RPCClient(options as unknown as ConstructorParameters<typeof RPCClient>[0]);
    station.on("strictValidationFailure", () => {});
    cleanups.push(() => station.close({ force: true }));
    return station;
  }

  test.each(subprotocols)("boots and charges in %s", async (protocol) => {
    const { station } = await connected(protocol);
    expect(await station.call("BootNotification", bootRequest[protocol])).toEqual(boot);
    for (const [action, request, response] of transaction[protocol]) {
      expect(await station.call(action, request)).toEqual(response);
    }
  });

  test.each(subprotocols)("answers our calls in %s", async (protocol) => {
    const { csms, station } = await connected(protocol);
    station.handle("Reset", async ({ params }) => ({ status: params?.type === "Hard" ? "Rejected" : "Accepted" }));
    const connection = csms.connections.get("CS 1|%");
    const payload = { type: protocol === "ocpp1.6" ? "Hard" : "Immediate" };
    expect(await connection?.callUntyped("Reset", payload)).toEqual({
      status: protocol === "ocpp1.6" ? "Rejected" : "Accepted",
    });
  });

  test.each(subprotocols)("gets and gives errors in %s, each in its own words", async (protocol) => {
    const { csms, station } = await connected(protocol);
    const authorize = protocol === "ocpp1.6" ? { idTag: "T" } : { idToken: { idToken: "T", type: "Central" } };
    expect(await failure(station.call("Authorize", authorize))).toMatchObject({
      rpcErrorCode: "SecurityError",
      message: "not you",
    });
    expect(await failure(station.call("Heartbeat", {}))).toMatchObject({ rpcErrorCode: "NotSupported" });

    const connection = csms.connections.get("CS 1|%");
    expect(await failure(connection?.callUntyped("ClearCache", {}))).toMatchObject({
      name: "PeerError",
      code: "NotImplemented",
    });
    station.handle("ClearCache", () => {
      throw createRPCError("OccurenceConstraintViolation", "too many", { limit: 1 });
    });
    expect(await failure(connection?.callUntyped("ClearCache", {}))).toMatchObject({
      code: "OccurrenceConstraintViolation",
      message: "too many",
    });
  });

  test.each(subprotocols)("reads our refusal of a payload that it did not check in %s", async (protocol) => {
    const { csms, endpoint } = await connected(protocol);
    const options = {
      endpoint,
      identity: "lax",
      protocols: [protocol],
      strictMode: false,
      password: "a secret: of 20 b",
      reconnect: false,
    };
    const station = new RPCClient(options as unknown as ConstructorParameters<typeof RPCClient>[0]);
    cleanups.push(() => station.close({ force: true }));
    await station.connect();
    expect(csms.connections.has("lax")).toBe(true);
    const error = await failure(station.call("BootNotification", { ...bootRequest[protocol], surprise: 1 }));
    expect(error.rpcErrorCode).toBe(protocol === "ocpp1.6" ? "FormationViolation" : "FormatViolation");
    expect(await failure(station.call("NoSuchAction", {}))).toMatchObject({ rpcErrorCode: "NotImplemented" });
  });

  test("is refused with 401 for a wrong password", async () => {
    const { endpoint } = await connected("ocpp1.6");
    const impostor = foreignStation(endpoint, "ocpp1.6", "wrong");
    expect(await failure(impostor.connect())).toMatchObject({ code: 401 });
  });

  test("learns that no version fits", async () => {
    const csms = new JsonCsms({ versions: ["2.1"] });
    const { port } = await csms.listen({ port: 0, host: "127.0.0.1" });
    cleanups.push(() => csms.close({ graceMs: 0 }));
    const station = foreignStation(`ws://127.0.0.1:${port}/ocpp`, "ocpp1.6", "x");
    expect((await failure(station.connect())).message).toBe("Server sent no subprotocol");
  });
});

describe("ocpp-rpc as a strict server for our station", () => {
  async function connected(protocol: Subprotocol) {
    const server = new RPCServer({ protocols: [protocol], strictMode: true });
    const clients: RPCClient[] = [];
    server.auth((accept, reject, { identity, password }) => {
      if (identity === "CS 1|%" && String(password) === "a secret: of 20 b") accept({});
      else reject(401, "who?");
    });
    server.on("client", (client: RPCClient) => {
      clients.push(client);
      client.on("strictValidationFailure", () => {});
      client.handle("BootNotification", async () => boot);
      client.handle("Authorize", () => {
        throw createRPCError("SecurityError", "not you", { why: "test" });
      });
      for (const [action, , response] of transaction[protocol].slice(0, 1))
        client.handle(action, async () => ({ ...response }));
      for (const action of ["MeterValues", "StopTransaction"]) client.handle(action, async () => ({}));
    });
    const http = await server.listen(0, "127.0.0.1");
    cleanups.push(async () => {
      http.closeAllConnections();
      await server.close({ force: true });
    });
    const url = `ws://127.0.0.1:${(http.address() as AddressInfo).port}/ocpp`;
    const station = new JsonStation({
      url,
      identity: "CS 1|%",
      versions: ["2.1", "2.0.1", "1.6"],
      password: "a secret: of 20 b",
      backOff: { waitMinimumMs: 10, randomRangeMs: 10, repeatTimes: 1 },
    });
    cleanups.push(() => station.close({ graceMs: 0 }));
    station
      .handle("1.6", "Reset", ({ type }) => ({ status: type === "Hard" ? "Rejected" : "Accepted" }))
      .handle("2.0.1", "Reset", async () => ({ status: "Scheduled" }))
      .handle("1.6", "ClearCache", () => {
        throw new OcppError("OccurrenceConstraintViolation", "too many");
      })
      .handle("2.0.1", "ClearCache", () => {
        throw new OcppError("OccurrenceConstraintViolation", "too many");
      });
    const connection = await station.connect();
    await expect.poll(() => clients.length).toBeGreaterThan(0);
    return { server, clients, station, connection };
  }

  async function charge(connection: StationConnection, protocol: Subprotocol): Promise<void> {
    expect(await connection.callUntyped("BootNotification", bootRequest[protocol])).toEqual(boot);
    for (const [action, request, response] of transaction[protocol]) {
      const answer = await connection.callUntyped(action, request);
      if (protocol === "ocpp1.6") expect(answer).toEqual(response);
      else expect(answer).toEqual({ idTokenInfo: { status: "Accepted" } });
    }
  }

  test.each(subprotocols)("takes our session in %s", async (protocol) => {
    const { connection } = await connected(protocol);
    expect(connection.version).toBe(protocol.slice(4));
    await charge(connection, protocol);
  });

  test.each(subprotocols)("calls us in %s", async (protocol) => {
    const { clients } = await connected(protocol);
    const type = protocol === "ocpp1.6" ? "Hard" : "OnIdle";
    expect(await clients[0]?.call("Reset", { type })).toEqual({
      status: protocol === "ocpp1.6" ? "Rejected" : "Scheduled",
    });
  });

  test.each(subprotocols)("errors cross in %s", async (protocol) => {
    const { clients, connection } = await connected(protocol);
    const authorize = protocol === "ocpp1.6" ? { idTag: "T" } : { idToken: { idToken: "T", type: "Central" } };
    expect(await failure(connection.callUntyped("Authorize", authorize))).toMatchObject({
      code: "SecurityError",
      message: "not you",
    });
    expect(await failure(connection.callUntyped("Heartbeat", {}))).toMatchObject({ code: "NotImplemented" });
    expect(await failure(clients[0]?.call("ClearCache", {}))).toMatchObject({
      rpcErrorCode: protocol === "ocpp1.6" ? "OccurenceConstraintViolation" : "OccurrenceConstraintViolation",
    });
    expect(await failure(clients[0]?.call("GetLocalListVersion", {}))).toMatchObject({ rpcErrorCode: "NotSupported" });
  });

  test("drops us and has us back", async () => {
    const { clients, station } = await connected("ocpp1.6");
    const first = station.connection;
    const lost = once(first?.closed ?? new EventTarget(), "abort");
    await clients[0]?.close({ code: 1012, reason: "restart" });
    await lost;
    await expect.poll(() => clients.length).toBe(2);
    await expect.poll(() => station.connection?.isOpen).toBe(true);
    if (station.connection !== undefined) await charge(station.connection, "ocpp1.6");
  });
});
