export type { IdToken, TokenStanding } from "./authorization/id-token.ts";
export { noAuthorization } from "./authorization/id-token.ts";
export {
  type Clock,
  ManualClock,
  type RealTime,
  realTime,
  ScaledClock,
  type ScaledClockOptions,
  type Timer,
} from "./clock.ts";
export { stationCommand } from "./command.ts";
export { defaultSettings, type Settings, type TxPoint } from "./configuration/settings.ts";
export { type Arrival, nextArrival } from "./electric-vehicle/arrivals.ts";
export { ElectricVehicle, type VehicleOptions } from "./electric-vehicle/electric-vehicle.ts";
export type { SiteKind } from "./electric-vehicle/site-profiles.ts";
export { type VehicleModel, vehicleModels } from "./electric-vehicle/vehicle-model.ts";
export { acSupply, dcSupply, type ElectricalValues, type Supply } from "./evse/electrical.ts";
export type { Fault } from "./evse/evse.ts";
export type { EvseView } from "./evse/evse-view.ts";
export { Fleet, type FleetOptions } from "./fleet.ts";
export type { StationIdentity } from "./identity.ts";
export type { Measurand, MeterSample } from "./metering/meter-sample.ts";
export type { RegistrationStatus } from "./provisioning/registration.ts";
export { type Random, seededRandom } from "./random.ts";
export { SimulatedStation } from "./simulated-station.ts";
export { type SimulatedStationOptions, type StationVersion, stationVersions } from "./simulated-station-options.ts";
export type { StationEvents } from "./station-events.ts";
export { FileJournalStorage, type JournalStorage, MemoryJournalStorage } from "./storage/journal-storage.ts";
export type { TokenOutcome } from "./transactions/charging-permission.ts";
export type { LedgerEntry, TransactionMessage } from "./transactions/offline-queue.ts";
export type { Transaction, TransactionEvent } from "./transactions/transaction-event.ts";
export { type Visitors, VisitorTraffic } from "./visitor-traffic.ts";
