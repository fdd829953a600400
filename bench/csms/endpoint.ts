// The floor of the CSMS benchmark: the protocol library's endpoint with handlers that store nothing.
import { JsonCsms } from "@polyphase/ocpp";

const csms = new JsonCsms();
const currentTime = () => new Date().toISOString();
csms.handle("2.0.1", "BootNotification", () => ({ status: "Accepted", currentTime: currentTime(), interval: 300 }));
csms.handle("2.0.1", "TransactionEvent", () => ({}));
const { port } = await csms.listen({ port: 0, host: "127.0.0.1" });
process.send?.(port);
process.on("disconnect", () => process.exit(0));
