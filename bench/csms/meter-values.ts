import type { BenchCase } from "./bench-case.ts";
import { messageRates } from "./message-rates.ts";

/** Durable MeterValues of 1.6 over WebSocket. */
export const meterValues: BenchCase = {
  name: "meter-values",
  title: "Durable MeterValues of transactions (1.6, WebSocket, three sampled values), security profile 1",
  run: () => messageRates("meter-values", "messages"),
};
