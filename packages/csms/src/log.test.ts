import { expect, it } from "vitest";
import { createLog } from "./log.ts";

function lines(): { written: string[]; destination: { write(line: string): void } } {
  const written: string[] = [];
  return { written, destination: { write: (line) => written.push(line) } };
}

it("writes one JSON object a line, with the time in ISO 8601", () => {
  const { written, destination } = lines();
  createLog({ destination }).info({ stationId: "CS1" }, "booted");
  expect(JSON.parse(written[0] ?? "")).toEqual({
    level: 30,
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    stationId: "CS1",
    msg: "booted",
  });
});

it("writes nothing below its level", () => {
  const { written, destination } = lines();
  createLog({ level: "warn", destination }).info("quiet");
  expect(written).toEqual([]);
});

it.each([
  [{ headers: { authorization: "Bearer hunter2" } }],
  [{ req: { headers: { authorization: "Basic hunter2", cookie: "hunter2" } } }],
  [{ res: { headers: { "set-cookie": "hunter2" } } }],
  [{ request: { headers: { "proxy-authorization": "hunter2" } } }],
  [{ password: "hunter2" }],
  [{ payload: { basicAuthPassword: "hunter2" } }],
  [{ request: { connectionData: { basicAuthPassword: "hunter2" } } }],
  [{ webhook: { secret: "hunter2" } }],
  [{ token: "hunter2", key: { token: "hunter2" } }],
])("redacts %j", (facts) => {
  const { written, destination } = lines();
  const log = createLog({ destination });
  log.info(facts, "a message");
  log.child({ requestId: "1" }).warn(facts, "another");
  expect(written).toHaveLength(2);
  expect(written.join("")).not.toContain("hunter2");
  expect(written.join("")).toContain("[redacted]");
});
