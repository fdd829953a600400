export { type BrokenInstance, invalidFromSchema } from "./invalid-arbitrary.ts";
export { ManualClock } from "./manual-clock.ts";
export {
  arbitraryFromSchema,
  type Definitions,
  dateTimeArbitrary,
  noDateTimes,
  noUris,
  resolveSchema,
} from "./schema-arbitrary.ts";
export {
  offerTestDatabases,
  startTestDatabase,
  type TestDatabase,
  type TestDatabaseServer,
} from "./test-database.ts";
