import { expect, it } from "vitest";
import { useHonestCsms } from "../system/honest-csms.ts";
import { counted, rawRequest } from "../system/raw-station.ts";
import { RawWebSocket } from "./raw-websocket.ts";
import { soapEnvelope } from "./station-messages.ts";

const browser = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
const simulator = "https://simulator.example";

const running = useHonestCsms({ POLYPHASE_STATION_ORIGINS: simulator });

const connect = (identity: string, headers: Readonly<Record<string, string>>) =>
  RawWebSocket.connect(running.csms.ocppPort, `/ocpp/${identity}`, { subprotocol: "ocpp1.6", headers });

const refusals = () => counted(running, "polyphase_station_handshakes_refused_total", ['cause="web-page"']);

it.each(["https://elsewhere.example", "null", "file://", "http://127.0.0.1:8080"])(
  "a web page of %s that a person opens cannot connect as a station",
  async (origin) => {
    const before = await refusals();
    const refused = connect("PAGE", { Origin: origin, "User-Agent": browser });
    await expect(refused).rejects.toThrow("refused with HTTP/1.1 403");
    expect((await running.api("GET", "/stations/PAGE")).status).toBe(404);
    expect(await refusals()).toBe(before + 1);
  },
);

it("a web page that the operator named connects", async () => {
  const page = await connect("SIMULATOR", { Origin: simulator, "User-Agent": browser });
  expect((await running.api("GET", "/stations/SIMULATOR")).body).toMatchObject({ connected: true });
  await page.close();
});

it("a charger whose WebSocket library sends an origin connects", async () => {
  const charger = await connect("BOARD", { Origin: "file://", "User-Agent": "arduino-WebSocket-Client" });
  expect((await running.api("GET", "/stations/BOARD")).body).toMatchObject({ connected: true });
  await charger.close();
});

it("a web page cannot post a SOAP message either, for which it needs nobody's leave", async () => {
  const before = await refusals();
  const post = (headers: Readonly<Record<string, string>>) =>
    rawRequest(running.urlFor("1.5"), {
      method: "POST",
      body: soapEnvelope("1.6", "POSTED", "<c:heartbeatRequest/>"),
      headers: { "content-type": "text/plain", ...headers },
    });
  const page = { origin: "https://elsewhere.example", "user-agent": browser };
  expect(await post(page)).toMatchObject({ status: 403 });
  expect((await running.api("GET", "/stations/POSTED")).status).toBe(404);
  expect(await refusals()).toBe(before + 1);
  expect(await post({ "user-agent": "Mozilla/4.0 (compatible; MSIE 6.0)" })).toMatchObject({ status: 200 });
});
