import { describe, expect, it } from "vitest";
import { useHonestCsms } from "./honest-csms.ts";
import { counted, RawStation, rawRequest, tolerated } from "./raw-station.ts";

const running = useHonestCsms();

const boot16 = { chargePointVendor: "Raw", chargePointModel: "R" };

function setTolerance(stationId: string, rule: string, enabled: boolean) {
  return running.api("PUT", `/stations/${stationId}/tolerances/${rule}`, { enabled });
}

describe("a station that offers no subprotocol", () => {
  it("is closed with 1002 after its handshake unless a rule or its configuration says otherwise", async () => {
    const stranger = await RawStation.connect(running, "PLAIN-1", []);
    expect(await stranger.ended).toMatchObject({ code: 1002 });
    expect((await running.api("GET", "/stations/PLAIN-1")).body).toMatchObject({ connected: false });
  });

  it("is served in 1.6 where the rule missing-subprotocol is on, and with its subprotocol as before", async () => {
    await running.api("PUT", "/stations/PLAIN-2", {});
    expect(await setTolerance("PLAIN-2", "missing-subprotocol", true)).toMatchObject({ status: 204 });
    const plain = await RawStation.connect(running, "PLAIN-2", []);
    expect(plain.socket.protocol).toBe("");
    expect(await plain.call("BootNotification", boot16)).toMatchObject({ status: "Accepted" });
    expect(await tolerated(running, "missing-subprotocol")).toBe(1);
    expect((await running.api("GET", "/stations/PLAIN-2")).body).toMatchObject({ connected: true, version: "1.6" });
    // The same charger offers it on its next connection.
    const offering = await RawStation.boot16(running, "PLAIN-2");
    expect(offering.socket.protocol).toBe("ocpp1.6");
    expect(await plain.ended).toMatchObject({ code: 1008 });
    await offering.close();
    const again = await RawStation.connect(running, "PLAIN-2", []);
    expect(await again.call("BootNotification", boot16)).toMatchObject({ status: "Accepted" });
    await again.close();
  });

  it("is served in the version that is configured for it", async () => {
    await running.api("PUT", "/stations/PLAIN-3", { configuredVersion: "2.0.1" });
    const plain = await RawStation.connect(running, "PLAIN-3", []);
    const boot = { reason: "PowerUp", chargingStation: { vendorName: "Raw", model: "R" } };
    expect(await plain.call("BootNotification", boot)).toMatchObject({ status: "Accepted" });
    expect((await running.api("GET", "/stations/PLAIN-3")).body).toMatchObject({ version: "2.0.1" });
    await plain.close();
  });

  it("is closed with 1002 when it offers others only, whatever is configured", async () => {
    await running.api("PUT", "/stations/PLAIN-4", { configuredVersion: "1.6" });
    await setTolerance("PLAIN-4", "missing-subprotocol", true);
    for (const offered of [["ocpp9.9"], ["chat"], ["OCPP1.6"], ["ocpp1.6.1", "ocpp2.0"]]) {
      // `ws` as a client gives up by itself when none of its subprotocols is chosen.
      await expect(RawStation.connect(running, "PLAIN-4", offered)).rejects.toThrow("no subprotocol");
    }
  });
});

const asked = (identity: string, path?: string) =>
  rawRequest(running.csms.httpUrl.replace(/:\d+$/, `:${running.csms.ocppPort}`), {
    method: "GET",
    path: path ?? `/ocpp/${encodeURIComponent(identity)}`,
    headers: {
      ...{ connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13" },
      ...{ "sec-websocket-key": "AQIDBAUGBwgJCgsMDQ4PEA==", "sec-websocket-protocol": "ocpp1.6" },
    },
  });

describe("an identity that none may be", () => {
  it.each([
    { what: "nothing", path: "/ocpp/" },
    { what: "nothing and no slash", path: "/ocpp" },
    { what: "a second segment", path: "/ocpp/CP1/CP2" },
    { what: "an encoded slash", path: "/ocpp/CP1%2FCP2" },
    { what: "an encoded backslash", path: "/ocpp/CP1%5CCP2" },
    { what: "a way up", path: "/ocpp/.." },
    { what: "an encoded way up", path: "/ocpp/%2e%2e" },
    { what: "an encoded way up to a file", path: "/ocpp/..%2f..%2fetc%2fpasswd" },
    { what: "a broken escape", path: "/ocpp/CP%" },
    { what: "an escape that is no UTF-8", path: "/ocpp/CP%ff" },
    { what: "an overlong escape of a slash", path: "/ocpp/CP%c0%afCP" },
    { what: "a NUL", path: "/ocpp/CP%00" },
    { what: "a line break", path: "/ocpp/CP%0d%0aX-Evil:1" },
    { what: "an escape sequence for terminals", path: "/ocpp/CP%1b%5b31m" },
    { what: "an invisible character", path: `/ocpp/${encodeURIComponent("CP\u200b1")}` },
    { what: "a text that runs the other way", path: `/ocpp/${encodeURIComponent("CP\u202e1")}` },
    { what: "a space at its end", path: "/ocpp/CP%20" },
    { what: "129 characters", path: `/ocpp/${"C".repeat(129)}` },
    { what: "another endpoint", path: "/other/CP1" },
  ])("is refused with 404: $what", async ({ path }) => {
    const before = (await running.api("GET", "/stations?limit=200")).body.items;
    expect(await asked("", path)).toMatchObject({ status: 404 });
    expect((await running.api("GET", "/stations?limit=200")).body.items).toHaveLength(before?.length ?? -1);
  });

  it("is refused with 431 when the whole request is too long to be read", async () => {
    expect([400, 431]).toContain((await asked("", `/ocpp/${"C".repeat(20_000)}`)).status);
  });

  it("is refused in 2.x with a colon or more than 48 characters, which 1.6 allows", async () => {
    for (const identity of ["CP:1", "C".repeat(49)]) {
      await expect(RawStation.connect(running, identity, ["ocpp2.0.1"])).rejects.toThrow("refused with 404");
      const station = await RawStation.boot16(running, identity);
      await station.close();
    }
  });

  it.each([
    "'; drop table station; --",
    "CP%41",
    "héllo wörld",
    "日本",
    "$(reboot)",
    "__proto__",
    "constructor",
    "<script>",
  ])("is a name like any other when it is only strange: %s", async (identity) => {
    const station = await RawStation.boot16(running, identity);
    const path = `/stations/${encodeURIComponent(identity)}`;
    expect((await running.api("GET", path)).body).toMatchObject({ stationId: identity, connected: true });
    expect(await running.api("GET", `${path}/tolerances`)).toMatchObject({ status: 200 });
    expect(await running.api("GET", `${path}/messages`)).toMatchObject({ status: 200 });
    await station.close();
  });

  it("is not told apart from others by what counts the refusals", async () => {
    expect(await counted(running, "polyphase_station_handshakes_refused_total", ['cause="identity"'])).toBeGreaterThan(
      0,
    );
  });
});

describe("an HTTP request that is no handshake", () => {
  const url = () => `http://127.0.0.1:${running.csms.ocppPort}`;

  it.each([
    { method: "GET", path: "/ocpp/CP1" },
    { method: "POST", path: "/ocpp/CP1" },
    { method: "GET", path: "/" },
    { method: "DELETE", path: "/api/v1/stations/HONEST" },
  ])("is answered with 426 and changes nothing: $method $path", async ({ method, path }) => {
    expect(await rawRequest(url(), { method, path })).toMatchObject({ status: 426 });
  });

  it("is refused with 400 for a version or key of WebSocket that does not exist", async () => {
    const headers = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-key": "short" };
    for (const version of ["13", "99"]) {
      const answer = await rawRequest(url(), {
        method: "GET",
        path: "/ocpp/CP1",
        headers: { ...headers, "sec-websocket-version": version, "sec-websocket-protocol": "ocpp1.6" },
      });
      expect([400, 426]).toContain(answer.status);
    }
  });
});
