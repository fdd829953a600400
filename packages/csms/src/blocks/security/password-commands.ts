import type { Logger } from "pino";
import type { CommandRegistry } from "../../gateway/commands.ts";
import type { StoredCredentials } from "./credentials.ts";

/**
 * Keeps up with passwords that are changed over OCPP (A01): once the station has accepted a new one, it is what the
 * station will use; the old one is taken until then, for the station may not have stored it yet.
 */
export function followPasswordCommands(commands: CommandRegistry, credentials: StoredCredentials, log: Logger): void {
  commands.completed("SetVariables", async (stationId, { setVariableData }, { setVariableResult }) => {
    for (const { component, variable, attributeValue, attributeType = "Actual" } of setVariableData) {
      const password = passwordIn(variable.name, attributeValue);
      if (password === undefined || attributeType !== "Actual") continue;
      const result = setVariableResult.find(
        (candidate) => candidate.component.name === component.name && candidate.variable.name === variable.name,
      );
      if (result?.attributeStatus !== "Accepted" && result?.attributeStatus !== "RebootRequired") continue;
      await credentials.change(stationId, { password, keepsPrevious: true });
      log.info({ stationId }, "the station took a new password");
    }
  });
}

/** 2.x sends the password itself; the AuthorizationKey of 1.6 is its bytes in hexadecimal (security whitepaper, table of configuration keys). */
function passwordIn(variable: string, value: string): Buffer | undefined {
  switch (variable.toLowerCase()) {
    case "basicauthpassword":
      return Buffer.from(value, "utf8");
    case "authorizationkey":
      return /^(?:[0-9a-f]{2})+$/i.test(value) ? Buffer.from(value, "hex") : Buffer.from(value, "utf8");
    default:
      return undefined;
  }
}
