export { ManualClock } from "./manual-clock.ts";
export {
  offerTestDatabases,
  startTestDatabase,
  type TestDatabase,
  type TestDatabaseServer,
} from "./test-database.ts";
