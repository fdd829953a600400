import { connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { useHonestCsms } from "../system/honest-csms.ts";
import { RawStation } from "../system/raw-station.ts";
import { adminToken, type Item } from "../system/running-csms.ts";
import { LogLines } from "./log-lines.ts";

const log = new LogLines();
const running = useHonestCsms({ POLYPHASE_LOG_LEVEL: "debug", POLYPHASE_CALL_TIMEOUT: "1" }, log);

afterEach(async () => {
  expect(log.findings).toEqual([]);
});

interface Answer {
  readonly status: number;
  readonly text: string;
}

async function ask(
  method: string,
  path: string,
  body?: string | Uint8Array<ArrayBuffer>,
  type = "application/json",
): Promise<Answer> {
  const response = await fetch(`${running.csms.httpUrl}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${adminToken}`,
      accept: "application/json",
      ...(body === undefined ? {} : { "content-type": type }),
    },
    ...(body === undefined ? {} : { body }),
  });
  return { status: response.status, text: await response.text() };
}

/** Refused or taken, in either case with a document; never a failure of ours. */
function expectAnswered({ status, text }: Answer, what: string): void {
  // 502 to 504 tell what a station did or did not do.
  expect([500, 501, 503], `${what}: ${status} ${text.slice(0, 500)}`).not.toContain(status);
  if (text !== "") expect(() => JSON.parse(text), what).not.toThrow();
}

interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
}

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly hasBody: boolean;
  readonly fields: readonly string[];
}

/** Every operation of the API, as its own description has it. */
async function operations(): Promise<readonly Operation[]> {
  const { paths } = (await (await fetch(`${running.csms.httpUrl}/api/openapi.json`)).json()) as {
    paths: Record<string, Record<string, Item>>;
  };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Operation => {
      const content = (operation.requestBody as { content?: Record<string, { schema?: Item }> } | undefined)?.content;
      const schema = content?.["application/json"]?.schema;
      return {
        ...{ method: method.toUpperCase(), path },
        parameters: (operation.parameters ?? []) as readonly Parameter[],
        hasBody: content !== undefined,
        fields: Object.keys((schema?.properties as object | undefined) ?? {}),
      };
    }),
  );
}

const texts = [
  "'); drop table station; --",
  "$1",
  "a\0b",
  "\ud800",
  "\u202e\u2028",
  "../../etc/passwd",
  "%00",
  "%",
  "__proto__",
  "constructor",
  "-1",
  "1e999",
  "99999999999999999999",
  "NaN",
  "2026-02-30T25:61:61Z",
  "275760-09-13T00:00:00.001Z",
  "0000-01-01T00:00:00Z",
  "",
  " ",
  "x".repeat(3_000),
  "💥".repeat(500),
];

const values = [
  ...[
    null,
    true,
    -1,
    0,
    1.5,
    1e308,
    -(2 ** 63),
    2 ** 53,
    "",
    "a\0b",
    "'); drop table station; --",
    "x".repeat(100_000),
  ],
  ...[[], {}, [null], [[[]]], { a: 1 }, { "": "" }, Array.from({ length: 2_000 }, () => "x")],
];

/** Some of a list, others for each index, and all of `always`. */
function some<Item>(items: readonly Item[], index: number, always: readonly Item[] = []): readonly Item[] {
  const chosen = [0, 1, 2].map((step) => items[(index * 3 + step) % items.length] as Item);
  return [...new Set([...always, ...chosen])];
}

const deep = (depth: number) => `${'{"a":['.repeat(depth)}1${"]}".repeat(depth)}`;

/** Path with the parameters filled in; none of them names anything that is there. */
function filled({ path, parameters }: Operation, text: string): string {
  return parameters
    .filter((parameter) => parameter.in === "path")
    .reduce((made, { name }) => made.replace(`{${name}}`, escaped(text)), path);
}

/** Percent-encoded, half of a surrogate pair as the three bytes that a careless encoder makes of it. */
function escaped(text: string): string {
  return text === "\ud800" ? "%ED%A0%80" : encodeURIComponent(text);
}

/** Runs some at a time; a thousand requests at once would test the test. */
async function each<Case>(cases: readonly Case[], run: (one: Case) => Promise<void>): Promise<void> {
  const left = [...cases];
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (let one = left.pop(); one !== undefined; one = left.pop()) await run(one);
    }),
  );
}

describe("every route of the API", () => {
  it("takes any text in its path", async () => {
    const named = texts.filter((text) => text !== "");
    const cases = (await operations()).flatMap((operation, index) =>
      operation.path.includes("{") ? some(named, index, ["a\0b"]).map((text) => ({ operation, text })) : [],
    );
    expect(cases.length).toBeGreaterThan(100);
    await each(cases, async ({ operation, text }) => {
      const { method, hasBody } = operation;
      const path = filled(operation, text);
      expectAnswered(await ask(method, path, hasBody ? "{}" : undefined), `${method} ${path}`);
    });
  });

  it("takes any text in any parameter of its query, also twice and as lists", async () => {
    const parameters = (await operations()).flatMap((operation) =>
      operation.parameters.flatMap((parameter) =>
        parameter.in === "query" ? [{ operation, name: parameter.name }] : [],
      ),
    );
    const cases = parameters.flatMap((parameter, index) =>
      some(texts, index, ["99999999999999999999"]).map((text) => ({ ...parameter, text })),
    );
    expect(cases.length).toBeGreaterThan(100);
    await each(cases, async ({ operation, name, text }) => {
      const path = filled(operation, "HONEST");
      const { method } = operation;
      const query = `${name}=${escaped(text)}${operation.parameters.length % 2 === 0 ? `&${name}=a` : ""}`;
      expectAnswered(await ask(method, `${path}?${query}`), `${method} ${path}?${query.slice(0, 200)}`);
    });
  });

  it("takes any value in any field of its body", async () => {
    const fields = (await operations()).flatMap((operation) =>
      operation.hasBody ? ["", ...operation.fields].map((field) => ({ operation, field })) : [],
    );
    const cases = fields.flatMap((place, index) => some(values, index).map((value) => ({ ...place, value })));
    expect(cases.length).toBeGreaterThan(100);
    await each(cases, async ({ operation, field, value }) => {
      const { method } = operation;
      const path = filled(operation, "HOSTILE-API");
      const body = JSON.stringify(field === "" ? value : { [field]: value });
      expectAnswered(await ask(method, path, body), `${method} ${path} ${body.slice(0, 200)}`);
    });
  });

  it("takes bodies that are none, or too deep, or change what every object is", async () => {
    const bodies = [
      ...["", "{", "[]]", "nul", "\u0000", '"\ud800"', "{".repeat(500_000), deep(20_000), deep(60)],
      ...['{"__proto__":{"polluted":1}}', '{"constructor":{"prototype":{"polluted":1}}}', '{"a":1,"a":2}', "1e999"],
    ];
    const cases = (await operations())
      .filter(({ hasBody }) => hasBody)
      .flatMap((operation, index) => some(bodies, index, [deep(20_000)]).map((body) => ({ operation, body })));
    await each(cases, async ({ operation, body }) => {
      const { method } = operation;
      const path = filled(operation, "HOSTILE-API");
      expectAnswered(await ask(method, path, body), `${method} ${path} ${body.slice(0, 100)}`);
    });
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    const latin = Uint8Array.from(Buffer.from('{"description":"\xff\xfe"}', "latin1"));
    expectAnswered(await ask("PUT", "/api/v1/stations/HOSTILE-API", latin), "bytes that are no UTF-8");
  });

  it("refuses a body beyond its limit, and reads no more of it", async () => {
    const { status } = await ask("PUT", "/api/v1/stations/HOSTILE-API", `{"description":"${"x".repeat(3_000_000)}"}`);
    expect(status).toBe(413);
  });
});

describe("a cursor", () => {
  const cursor = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

  it("that somebody wrote is refused or leads somewhere, on every list", async () => {
    const lists = (await operations()).filter(({ parameters }) => parameters.some(({ name }) => name === "cursor"));
    expect(lists.length).toBeGreaterThan(5);
    const cursors = [
      ...["x", "e30", cursor({}), cursor([]), cursor(["'; drop table station"]), cursor(["a\0b"]), cursor([""])],
      ...[cursor([1e308]), cursor([-1]), cursor([1.5]), cursor([2 ** 63]), cursor([null])],
      ...["2026-01-01T00:00:00Z", "yesterday", "a\0b", "", "275760-09-13T00:00:00.001Z"].flatMap((time) => [
        ...[
          cursor([time, "x"]),
          cursor([time, 1]),
          cursor([time, 1e300]),
          cursor([time, "00000000-0000-0000-0000-000000000000"]),
        ],
        ...[cursor([time, "a\0b"]), cursor([time, time, time]), cursor([time]), cursor([1, time])],
      ]),
      ...[cursor(["HONEST", 1.5, 1.5]), cursor(["a", "b", "c", "d"]), cursor(["a", "b", 1e300, 1, "", "", ""])],
    ];
    const cases = lists.flatMap((operation) => cursors.map((text) => ({ operation, text })));
    await each(cases, async ({ operation, text }) => {
      const path = `${filled(operation, "HONEST")}?cursor=${encodeURIComponent(text)}`;
      expectAnswered(await ask(operation.method, path), `${path}: ${Buffer.from(text, "base64url").toString()}`);
    });
  });
});

/** Writes bytes and resolves with what came until the end. */
function raw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    socket
      .on("error", () => {})
      .on("data", (chunk) => {
        text += chunk.toString("latin1");
      });
    socket.once("close", () => resolve(text));
    socket.write(bytes, "latin1");
  });
}

describe.each(["API", "stations"] as const)("a request to the port of the %s", (which) => {
  const port = () => (which === "API" ? running.csms.httpPort : running.csms.ocppPort);
  const request = (path: string, headers: readonly string[]) =>
    `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers.map((header) => `${header}\r\n`).join("")}\r\n`;

  it.each([
    { what: "a query of 100 kB", make: () => request(`/api/v1/stations?x=${"y".repeat(100_000)}`, []), status: 431 },
    { what: "a header of 100 kB", make: () => request("/", [`X-Long: ${"y".repeat(100_000)}`]), status: 431 },
    {
      what: "5,000 headers",
      make: () =>
        request(
          "/",
          Array.from({ length: 5_000 }, (_, i) => `X-${i}: y`),
        ),
      status: 431,
    },
    { what: "two lengths", make: () => request("/", ["Content-Length: 5", "Content-Length: 6"]), status: 400 },
    {
      what: "a length and chunks",
      make: () => request("/", ["Content-Length: 5", "Transfer-Encoding: chunked"]),
      status: 400,
    },
    { what: "a line break in a header", make: () => request("/", ["X-Evil: a\rX-Admin: 1"]), status: 400 },
    { what: "a NUL in a header", make: () => request("/", ["X-Evil: a\0b"]), status: 400 },
    { what: "no HTTP at all", make: () => "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", status: 400 },
  ])("is refused when it has $what", async ({ make, status }) => {
    const answer = await raw(port(), make());
    expect(answer.split("\r\n", 1)[0]).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });
});

describe("a caller that reads nothing", () => {
  it("of a list of large messages keeps nobody else waiting", async () => {
    const station = await RawStation.boot16(running, "LARGE");
    for (let index = 0; index < 20; index++) {
      await station.ask("DataTransfer", { vendorId: "v", data: "x".repeat(200_000) });
    }
    await station.close();
    const sockets = Array.from({ length: 8 }, () => {
      const socket = connect(running.csms.httpPort, "127.0.0.1");
      socket.on("error", () => {}).pause();
      socket.write(
        `GET /api/v1/stations/LARGE/messages?limit=500 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${adminToken}\r\n\r\n`,
      );
      return socket;
    });
    for (let round = 0; round < 3; round++) {
      await running.honest.expectServed();
      expect((await running.api("GET", "/stations/HONEST")).status).toBe(200);
    }
    for (const socket of sockets) socket.destroy();
  });
});
