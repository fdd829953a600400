import type { BenchCase } from "./bench-case.ts";
import { messageRates } from "./message-rates.ts";

/** Durable TransactionEvents of 2.0.1. */
export const transactionEvents: BenchCase = {
  name: "transaction-events",
  title: "Durable TransactionEvents (2.0.1, Updated, one meter value of three sampled values), security profile 1",
  run: () => messageRates("transaction-events", "events"),
};
