import { describe, expect, test } from "bun:test";
import type { BeatRequest } from "../../../src/control/beats_door.ts";
import { BEAT } from "../../../src/control/requests/beat.ts";
import { BYE } from "../../../src/control/requests/bye.ts";
import { parseRequestLine } from "../../../src/control/request_line.ts";
import { REQUESTS } from "../../../src/control/requests.ts";
import { sourcesWith } from "../sources.ts";

const PEER = { pid: 900, uid: 1_000, gid: 1_000 };

const NO_BEATS = { doors: undefined as never, beat: undefined as never, bye: undefined as never };

test("the request bye asks for a goodbye in the name of the peer", async () => {
  const asked: [number, unknown][] = [];
  const bye = (pid: number, peer: unknown) => {
    asked.push([pid, peer]);
    return Promise.resolve({ v: 1, pid, accepted: true } as const);
  };
  const sources = sourcesWith({ beats: { ...NO_BEATS, bye } });
  await new Promise<void>((wake) => {
    const args = new Map([["pid", 42]]);
    const pieces = BYE.run(args, sources, { peer: PEER, wake: () => wake() });
    expect(pieces.next()).toBeNull();
  });
  expect(asked).toEqual([[42, PEER]]);
});

describe("the request beat", () => {
  test("asks for the beat of a pid with a status, in the name of the peer", async () => {
    const asked: [BeatRequest, unknown][] = [];
    const beat = (request: BeatRequest, peer: unknown) => {
      asked.push([request, peer]);
      return Promise.resolve({ v: 1, pid: request.pid, accepted: true } as const);
    };
    const sources = sourcesWith({ beats: { ...NO_BEATS, beat } });
    const args = new Map<string, string | number>([["pid", 42]]);
    await new Promise<void>((wake) => {
      const pieces = BEAT.run(args, sources, { peer: PEER, wake: () => wake() });
      expect(pieces.next()).toBeNull();
    });
    BEAT.run(args.set("status", "critical"), sources, { peer: PEER, wake: () => {} });
    expect(asked).toEqual([
      [{ pid: 42, status: "ok" }, PEER],
      [{ pid: 42, status: "critical" }, PEER],
    ]);
  });

  test("wants a pid that can be a member's, and a status that an agent may send", () => {
    const errorOf = (fields: object) => {
      const line = JSON.stringify({ v: 1, do: "beat", ...fields });
      const parsed = parseRequestLine(Buffer.from(line), REQUESTS);
      return "refusal" in parsed ? parsed.refusal.error : undefined;
    };
    expect(errorOf({ pid: 2 })).toBeUndefined();
    expect(errorOf({ pid: 4_294_967_295 })).toBeUndefined();
    for (const fields of [{}, { pid: 1 }, { pid: 2 ** 32 }, { pid: 2.5 }, { pid: "2" }])
      expect(errorOf(fields)).toBe("bad_field");
    expect(errorOf({ pid: 2, status: "stall" })).toBe("bad_field");
  });

  test("is with doors and bye the only one that beats, and so in no view of HTTP", () => {
    const beats = REQUESTS.filter(({ right }) => right === "beat").map(({ name }) => name);
    expect(beats).toEqual(["doors", "beat", "bye"]);
  });
});
