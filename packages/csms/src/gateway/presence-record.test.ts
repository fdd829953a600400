import { pino } from "pino";
import { expect, it } from "vitest";
import { DatabaseUnavailableError, type GroupCommit } from "../database/write-unit.ts";
import { RecordedWrites } from "./fixture.ts";
import { PresenceRecord } from "./presence-record.ts";

const row = (station_id: string, connected: boolean) => ({
  station_id,
  connected,
  version: "1.6",
  transport: "OCPP-J",
  remote_address: "192.0.2.1",
  soap_address: null,
  connected_at: "2024-05-01T00:00:00Z",
  last_seen_at: "2024-05-01T00:00:00Z",
});
const connected = (stationId: string) =>
  ({
    type: "station.connected",
    stationId,
    timestamp: new Date(0),
    data: { version: "1.6", remoteAddress: "192.0.2.1" },
  }) as const;

it("writes what a database refused again later, the newest state of a station only", async () => {
  const writes = new RecordedWrites();
  let isAway = true;
  const groupCommit: GroupCommit = {
    unit() {
      const unit = writes.unit();
      const commit = unit.commit.bind(unit);
      unit.commit = () => (isAway ? Promise.reject(new DatabaseUnavailableError("away")) : commit());
      return unit;
    },
  };
  const presence = new PresenceRecord({ groupCommit, log: pino({ level: "silent" }), intervalMs: 3_600_000 });
  presence.changed(row("CP1", true));
  presence.happened(connected("CP1"));
  await presence.flush();
  presence.changed(row("CP1", false));
  presence.changed(row("CP2", true));
  presence.happened(connected("CP2"));
  isAway = false;
  await presence.close();
  expect(writes.rows).toEqual([row("CP1", false), row("CP2", true)]);
  expect(writes.events.map(({ stationId }) => stationId)).toEqual(["CP1", "CP2"]);
});

it("keeps the order of a storm's events when the database goes away in the middle", async () => {
  const writes = new RecordedWrites();
  let units = 0;
  const groupCommit: GroupCommit = {
    unit() {
      const unit = writes.unit();
      units += 1;
      if (units === 1) unit.commit = () => Promise.reject(new DatabaseUnavailableError("away"));
      return unit;
    },
  };
  const presence = new PresenceRecord({ groupCommit, log: pino({ level: "silent" }), intervalMs: 3_600_000 });
  const ids = Array.from({ length: 1_200 }, (_, index) => `CP${index}`);
  for (const id of ids) presence.happened(connected(id));
  await presence.flush();
  await presence.close();
  expect(writes.events.map(({ stationId }) => stationId)).toEqual(ids);
});

it("writes a storm of connections in units of bounded size", async () => {
  const writes = new RecordedWrites();
  let units = 0;
  const groupCommit: GroupCommit = {
    unit() {
      units += 1;
      return writes.unit();
    },
  };
  const presence = new PresenceRecord({ groupCommit, log: pino({ level: "silent" }), intervalMs: 3_600_000 });
  for (let index = 0; index < 1_200; index += 1) presence.changed(row(`CP${index}`, true));
  await presence.close();
  expect([writes.rows.length, units]).toEqual([1_200, 3]);
});
