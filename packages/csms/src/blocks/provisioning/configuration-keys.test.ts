import { expect, test } from "vitest";
import { keyOfVariable, variableOfKey } from "./configuration-keys.ts";

const mapped = ["HeartbeatInterval", "TransactionMessageAttempts", "CpoName", "MeterValuesSampledData"];

test("a key and its variable are one another's, in upper and lower case", () => {
  for (const key of [...mapped, "VendorSwitch", "SupportedFeatureProfiles"]) {
    const { component, variable } = variableOfKey(key);
    expect(keyOfVariable(component, variable)).toEqual({ key });
    const lower = { name: component.name.toLowerCase() };
    const variableInLower = { ...variable, name: variable.name.toLowerCase() };
    if (mapped.includes(key)) expect(keyOfVariable(lower, variableInLower)).toEqual({ key });
    expect(variableOfKey(key.toLowerCase()).component).toEqual(component);
  }
});

test("a key that 2.x has no equal of is a variable of the component Configuration", () => {
  expect(variableOfKey("MinimumStatusDuration")).toEqual({
    component: { name: "Configuration" },
    variable: { name: "MinimumStatusDuration" },
    dataType: undefined,
  });
});

test("every key can be addressed by its own name", () => {
  expect(keyOfVariable({ name: "configuration" }, { name: "HeartbeatInterval" })).toEqual({ key: "HeartbeatInterval" });
});

test("B05.FR.04, B05.FR.05: what family 1 does not know is told apart", () => {
  expect(keyOfVariable({ name: "DisplayMessageCtrlr" }, { name: "Enabled" })).toBe("UnknownComponent");
  expect(keyOfVariable({ name: "TxCtrlr" }, { name: "TxStartPoint" })).toBe("UnknownVariable");
  expect(keyOfVariable({ name: "TxCtrlr", evse: { id: 1 } }, { name: "EVConnectionTimeOut" })).toBe("UnknownComponent");
  expect(keyOfVariable({ name: "OCPPCommCtrlr" }, { name: "MessageAttempts" })).toBe("UnknownVariable");
});
