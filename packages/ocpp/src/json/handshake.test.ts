import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ocppVersions } from "../catalogue/version.ts";
import { basicAuthorization, basicCredentials } from "../endpoint/basic-authentication.ts";
import { allowsIdentity, chooseVersion, identityOf, offeredSubprotocols, pathOf } from "./handshake.ts";

describe("identity", () => {
  test("is the last segment, percent-decoded", () => {
    expect(identityOf("/ocpp/CS001", "/ocpp")).toBe("CS001");
    expect(identityOf("/ocpp/RDAM%7C123", "/ocpp")).toBe("RDAM|123");
    expect(identityOf("/ocpp/RDAM%20123", "/ocpp")).toBe("RDAM 123");
    expect(identityOf("/s%C3%A4ule", "")).toBe("säule");
  });

  test("survives the URL whatever characters it has", () => {
    const identity = fc
      .string({ minLength: 1, maxLength: 48, unit: "grapheme" })
      .filter((text) => !/[/\p{Cc}\p{Cs}]|^\.\.?$/u.test(text));
    fc.assert(fc.property(identity, (text) => identityOf(`/a/b/${encodeURIComponent(text)}`, "/a/b") === text));
  });

  test.each([
    ["another path", "/other/CS001"],
    ["no identity", "/ocpp/"],
    ["no separator", "/ocpp"],
    ["a broken escape", "/ocpp/CS%0"],
    ["an escape of no hex digits", "/ocpp/CS%zz"],
    ["bytes that are no UTF-8", "/ocpp/CS%ff"],
    ["a second segment", "/ocpp/CS/001"],
    ["an escaped slash", "/ocpp/CS%2F001"],
    ["a trailing slash", "/ocpp/CS001/"],
    ["a control character", "/ocpp/CS%00"],
    ["a line break", "/ocpp/CS%0d%0aX"],
    ["a dot segment", "/ocpp/.."],
    ["an escaped dot segment", "/ocpp/%2e%2e"],
    ["256 characters", `/ocpp/${"x".repeat(256)}`],
  ])("is refused for %s", (_name, path) => {
    expect(identityOf(path, "/ocpp")).toBeUndefined();
  });

  test("of 2.x has at most 48 characters and no colon (Part 4 §3.1.1); 1.6 sets no such limit", () => {
    expect(allowsIdentity("2.0.1", "x".repeat(48))).toBe(true);
    expect(allowsIdentity("2.1", "x".repeat(49))).toBe(false);
    expect(allowsIdentity("2.0.1", "a:b")).toBe(false);
    expect(allowsIdentity("1.6", `a:${"x".repeat(60)}`)).toBe(true);
  });
});

test("the path leaves out query and origin", () => {
  expect(pathOf("/ocpp/CS?x=/y#z")).toBe("/ocpp/CS");
  expect(pathOf("http://host:9000/ocpp/CS")).toBe("/ocpp/CS");
  expect(pathOf(undefined)).toBe("");
});

describe("subprotocol", () => {
  const all = new Set(ocppVersions);

  test("the first that the client lists and the server speaks is chosen (2.1 Part 4 §3.1.2)", () => {
    expect(chooseVersion(["ocpp2.1", "ocpp1.6"], all)).toBe("2.1");
    expect(chooseVersion(["ocpp1.6", "ocpp2.1"], all)).toBe("1.6");
    expect(chooseVersion(["ocpp2.1", "ocpp1.6"], new Set(["1.6"] as const))).toBe("1.6");
  });

  test("what is not registered, or differs in case, is not chosen", () => {
    expect(chooseVersion(["ocpp2.0", "OCPP1.6", "ocpp1.6j", "1.6"], all)).toBeUndefined();
  });

  test("the header is split at commas", () => {
    expect(offeredSubprotocols("ocpp2.1, ocpp2.0.1 ,ocpp1.6")).toEqual(["ocpp2.1", "ocpp2.0.1", "ocpp1.6"]);
    expect(offeredSubprotocols("")).toEqual([]);
    expect(offeredSubprotocols(undefined)).toEqual([]);
  });
});

describe("Basic authentication", () => {
  test("yields the bytes that were sent, split at the first colon", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const credentials = basicCredentials(basicAuthorization("AL1000", Buffer.from(bytes)));
        expect(credentials?.username.toString()).toBe("AL1000");
        expect(credentials?.password.equals(bytes)).toBe(true);
      }),
    );
  });

  test("reads the example of OCPP-J 1.6 §6.2.2", () => {
    const credentials = basicCredentials("Basic QUwxMDAwOgABAgMEBQYH////////////////");
    expect(credentials?.username.toString()).toBe("AL1000");
    expect(credentials?.password.toString("hex")).toBe("0001020304050607ffffffffffffffffffffffff");
  });

  test.each([
    undefined,
    "",
    "Basic",
    "Basic ",
    "Bearer abc",
    "Basic !!!",
    `Basic ${Buffer.from("nocolon").toString("base64")}`,
  ])("is absent for the header %j", (header) => {
    expect(basicCredentials(header)).toBeUndefined();
  });

  test("the scheme's case does not matter", () => {
    expect(basicCredentials(`bAsIc ${Buffer.from("a:b").toString("base64")}`)?.password.toString()).toBe("b");
  });
});
