import { beforeEach, describe, expect, it } from "vitest";
import { CredentialThrottle } from "./credential-throttle.ts";
import { MemoryCredentials, MemoryStations } from "./fixture.ts";
import type { KnownStation } from "./known-stations.ts";
import { StationAuthentication, type StationProof } from "./station-authentication.ts";

const password = Buffer.from("correct horse battery");
const authorization = { username: Buffer.from("CP1"), password };
const wrong = { username: Buffer.from("CP1"), password: Buffer.from("wrong") };
const certificateSubject = { commonName: "SN-1", organization: "Operator" };

let stations: MemoryStations;
let credentials: MemoryCredentials;
let now: number;
let authentication: StationAuthentication;

beforeEach(() => {
  stations = new MemoryStations();
  credentials = new MemoryCredentials();
  credentials.passwords.set("CP1", password);
  now = 0;
  const throttle = new CredentialThrottle({}, () => now);
  authentication = new StationAuthentication({ stations, credentials, throttle, operatorName: "Operator" });
});

/** The profile by which the station was accepted, or the status that refused it. */
async function decide(proof: Partial<StationProof> = {}): Promise<string> {
  const decision = await authentication.decide({
    identity: "CP1",
    remoteAddress: "192.0.2.1",
    secure: false,
    ...proof,
  });
  return decision.accept ? `profile ${decision.securityProfile}` : `${decision.status} ${decision.cause}`;
}

describe("security profiles", () => {
  it.each([
    [0, {}, "profile 0"],
    [0, { authorization: wrong }, "profile 0"],
    [1, {}, "401 credentials"],
    [1, { authorization }, "profile 1"],
    [1, { authorization: wrong }, "401 credentials"],
    [1, { authorization: { username: Buffer.from("CP2"), password } }, "401 credentials"],
    [1, { authorization, secure: true }, "profile 2"],
    [2, { authorization }, "403 insecure"],
    [2, { authorization, secure: true }, "profile 2"],
    [2, { secure: true }, "401 credentials"],
    [2, { secure: true, certificateSubject }, "profile 3"],
    [3, { secure: true, certificateSubject }, "profile 3"],
    [3, { secure: true, authorization }, "401 certificate"],
    [3, { certificateSubject }, "403 insecure"],
    [3, { secure: true, certificateSubject: { ...certificateSubject, commonName: "SN-2" } }, "401 certificate"],
    [3, { secure: true, certificateSubject: { ...certificateSubject, organization: "Somebody" } }, "401 certificate"],
  ] as const)("profile %i with %j: %s", async (securityProfile, proof, outcome) => {
    stations.put("CP1", { securityProfile, serialNumber: "SN-1" });
    expect(await decide(proof)).toBe(outcome);
  });

  it("A00.FR.405: a certificate names the identity, the serial number, or what an operator configured instead", async () => {
    stations.put("CP1", { securityProfile: 3 });
    expect(await decide({ secure: true, certificateSubject })).toBe("401 certificate");
    const named = { ...certificateSubject, commonName: "CP1" };
    expect(await decide({ secure: true, certificateSubject: named })).toBe("profile 3");
    credentials.certificateCommonName = () => "SN-1";
    expect(await decide({ secure: true, certificateSubject })).toBe("profile 3");
    expect(await decide({ secure: true, certificateSubject: named })).toBe("401 certificate");
  });
});

describe("identities", () => {
  it.each(["", ".", "..", "a/b", "a\\b", "a\nb", "a\u0000b", "a\u200bb", "a\u202eb", " a", "x".repeat(129)])(
    "refuses %j",
    async (identity) => {
      stations.policy = "accept";
      expect(await decide({ identity })).toBe("404 identity");
      expect(stations.records.size).toBe(0);
    },
  );

  it.each(["CP1", "DE*ABC*E123", "station:1", "Ladesäule 7", "x".repeat(128)])("takes %j", async (identity) => {
    expect(await decide({ identity })).toBe("profile 0");
  });
});

describe("throttling", () => {
  it("does not lock the honest station out: its verified password passes, other addresses are not slowed down", async () => {
    stations.put("CP1", { securityProfile: 1 });
    for (let attempt = 0; attempt < 6; attempt += 1) await decide({ authorization: wrong });
    expect(await decide({ authorization: wrong })).toBe("429 throttled");
    expect(await decide({ authorization, remoteAddress: "192.0.2.2" })).toBe("profile 1");
    credentials.isVerified = ((_id: string, given: Buffer) => given.equals(password) || undefined) as never;
    expect(await decide({ authorization })).toBe("profile 1");
    expect(await decide({ authorization: wrong })).toBe("429 throttled");
    now += 60_000;
    expect(await decide({ authorization: wrong })).toBe("401 credentials");
  });

  it("slows down an address that tries many identities", async () => {
    stations.policy = "reject";
    for (let attempt = 0; attempt < 300; attempt += 1) {
      expect(await decide({ identity: `X${attempt}` })).toBe("404 unknown");
    }
    expect(await decide({ identity: "X300" })).toBe("429 throttled");
  });
});

describe("overload", () => {
  it("verifies few passwords at once, and sends stations away when too many wait", async () => {
    stations.put("CP1", { securityProfile: 1 });
    let running = 0;
    let most = 0;
    const release: Array<() => void> = [];
    credentials.verifyPassword = async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => release.push(resolve));
      running -= 1;
      return true;
    };
    const throttle = new CredentialThrottle({}, () => now);
    const admission = { concurrent: 2, queued: 3 };
    authentication = new StationAuthentication({ stations, credentials, throttle, admission });
    const given = new AbortController();
    const decisions = Array.from({ length: 6 }, (_, index) =>
      decide({ authorization, ...(index === 4 ? { signal: given.signal } : {}) }),
    );
    given.abort(new Error("hung up"));
    while (release.length > 0) {
      release.shift()?.();
      // Lets the next in the queue begin.
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await Promise.all(decisions)).toEqual([
      "profile 1",
      "profile 1",
      "profile 1",
      "profile 1",
      "503 unavailable",
      "503 overloaded",
    ]);
    expect(most).toBe(2);
  });
});

describe("a flood of wrong passwords", () => {
  const slow = { concurrent: 1, queued: 1_000, queuedPerKey: 500 };
  const ask = (remoteAddress: string, given: typeof wrong, identity = "CP1") =>
    decide({ identity, remoteAddress, authorization: given });

  beforeEach(() => {
    stations.put("CP1", { securityProfile: 1 });
    stations.put("CP2", { securityProfile: 1 });
    credentials.passwords.set("CP2", password);
    const throttle = new CredentialThrottle({}, () => now);
    authentication = new StationAuthentication({ stations, credentials, throttle, admission: slow });
  });

  it("that comes all at once costs no more hashes than one that comes slowly", async () => {
    const outcomes = await Promise.all(Array.from({ length: 400 }, () => ask("192.0.2.66", wrong)));
    expect(outcomes.filter((outcome) => outcome === "401 credentials")).toHaveLength(5);
    expect(outcomes.filter((outcome) => outcome === "429 throttled")).toHaveLength(395);
    expect(credentials.verifications).toBe(5);
  });

  it("does not keep the station out that comes from elsewhere, nor make it wait for its turn", async () => {
    const order: string[] = [];
    const flood = Array.from({ length: 400 }, async () => order.push(await ask("192.0.2.66", wrong)));
    expect(await ask("192.0.2.1", authorization)).toBe("profile 1");
    // No more than what ran before it and one turn of the flood.
    expect(order.length).toBeLessThan(10);
    await Promise.all(flood);
  });

  it("leaves room in the queue for other addresses", async () => {
    const flood = Array.from({ length: 600 }, () => ask("192.0.2.66", wrong));
    const honest = ask("192.0.2.1", authorization);
    const outcomes = await Promise.all(flood);
    expect(outcomes.filter((outcome) => outcome === "503 overloaded").length).toBeGreaterThanOrEqual(99);
    expect(await honest).toBe("profile 1");
  });

  it("counts all of an IPv6 network as one address", async () => {
    for (let index = 0; index < 5; index++) expect(await ask(`2001:db8::${index}`, wrong)).toBe("401 credentials");
    expect(await ask("2001:db8::abcd", wrong)).toBe("429 throttled");
    expect(await ask("2001:db8:0:1::1", authorization)).toBe("profile 1");
  });

  it("with many identities does not push the count of its address out", async () => {
    const throttle = new CredentialThrottle({ perAddress: 50, maxKeys: 20 }, () => now);
    for (let index = 0; index < 50; index++) throttle.failed("192.0.2.66", `CP-${index}`);
    expect(throttle.waitS("192.0.2.66", "CP-99")).toBe(60);
  });

  it("at the same address lets in a station whose password was verified before, and the others a minute later", async () => {
    credentials.remembers = true;
    expect(await ask("192.0.2.66", authorization)).toBe("profile 1");
    for (let index = 0; index < 300; index++) {
      stations.put(`X${index}`, { securityProfile: 1 });
      await ask("192.0.2.66", wrong, `X${index}`);
    }
    const second = { username: Buffer.from("CP2"), password };
    expect(await ask("192.0.2.66", authorization)).toBe("profile 1");
    expect(await ask("192.0.2.66", second, "CP2")).toBe("429 throttled");
    now += 60_000;
    expect(await ask("192.0.2.66", second, "CP2")).toBe("profile 1");
  });
});

describe("unknown stations while the database is slow", () => {
  it("wait in a line that is bounded for each network, so that those of another get their turn", async () => {
    const records: Array<() => void> = [];
    const find = (stationId: string) => stations.find(stationId);
    const handleUnknown = (stationId: string) =>
      new Promise<KnownStation>((resolve) => {
        records.push(() => resolve({ stationId, registrationStatus: "Pending", securityProfile: 0 }));
      });
    authentication = new StationAuthentication({
      stations: { find, handleUnknown, setSecurityProfile: async () => {} },
      ...{ credentials, throttle: new CredentialThrottle({}, () => now) },
      newcomers: { concurrent: 1, queued: 10, queuedPerKey: 2 },
    });
    const crowd = ["A", "B", "C", "D"].map((identity) => decide({ identity }));
    const other = decide({ identity: "E", remoteAddress: "192.0.2.2" });
    expect(await crowd[3]).toBe("503 overloaded");
    const gone = new AbortController();
    const impatient = decide({ identity: "F", remoteAddress: "192.0.2.3", signal: gone.signal });
    gone.abort(new Error("the station gave up"));
    expect(await impatient).toBe("503 unavailable");
    const outcomes = Promise.all([...crowd.slice(0, 3), other]);
    for (let turn = 0; turn < 4; turn++) {
      await expect.poll(() => records.length).toBe(turn + 1);
      records[turn]?.();
    }
    expect(await outcomes).toEqual(Array(4).fill("profile 0"));
  });
});
