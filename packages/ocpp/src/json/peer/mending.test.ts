import { beforeEach, describe, expect, test } from "vitest";
import { currentTime, peerBench } from "./peer-fixture.ts";

let { wire, events, peerOf } = peerBench();

beforeEach(() => {
  ({ wire, events, peerOf } = peerBench());
});

describe("a frame that cannot be read", () => {
  test("can be mended by the tolerance hook", () => {
    const tolerance = {
      frame: ({ text }: { text: string }) => ({ rule: "trailing-nul", text: text.replaceAll("\u0000", "") }),
    };
    const { peer, handlers } = peerOf("1.6", { tolerance });
    handlers.set("1.6", "Heartbeat", () => ({ currentTime }));
    peer.receive('[2,"1","Heartbeat",{}]\u0000');
    expect(wire.last).toEqual([3, "1", { currentTime }]);
    expect(events).toEqual([["tolerated", "trailing-nul"]]);
    peer.receive("hopeless");
    expect(events.at(-1)).toEqual(["unreadable frame: not JSON", ""]);
  });

  test("is shown to the tolerance hook once, whatever it holds", () => {
    const shown: string[] = [];
    const tolerance = { frame: ({ text }: { text: string }) => void shown.push(text) };
    const { peer } = peerOf("1.6", { tolerance });
    const hopeless = '[2,"1","DataTransfer",{"vendorId":"V\\u0000"';
    peer.receive(hopeless);
    expect(shown).toEqual([hopeless]);
  });
});

describe("a text with NUL in it", () => {
  const heartbeat = '[2,"1","DataTransfer",{"vendorId":"V\\u0000"}]';

  test("can be mended by the tolerance hook, and is logged as it was on the wire", () => {
    const texts: string[] = [];
    const tolerance = {
      frame: ({ text }: { readonly text: string }) => ({ rule: "nul", text: text.replaceAll("\\u0000", "") }),
    };
    const observer = { message: ({ text }: { readonly text: string }) => texts.push(text) };
    const { peer, handlers } = peerOf("1.6", { tolerance, observer });
    const seen: unknown[] = [];
    handlers.set("1.6", "DataTransfer", (payload) => {
      seen.push(payload);
      return { status: "Accepted" };
    });
    peer.receive(heartbeat);
    expect(seen).toEqual([{ vendorId: "V" }]);
    expect(texts[0]).toBe(heartbeat);
  });

  test("is a text like any other where nobody mends it", () => {
    const { peer, handlers } = peerOf("1.6");
    const seen: unknown[] = [];
    handlers.set("1.6", "DataTransfer", (payload) => {
      seen.push(payload);
      return { status: "Accepted" };
    });
    peer.receive(heartbeat);
    expect(seen).toEqual([{ vendorId: "V\0" }]);
  });
});
