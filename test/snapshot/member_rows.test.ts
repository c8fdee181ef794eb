import { describe, expect, test } from "bun:test";
import { readState } from "../../src/snapshot/decoder.ts";
import type { MemberRecord } from "../../src/snapshot/records.ts";
import { Random } from "../simulation/random.ts";
import { bytesOf, EMPTY, MEMBER, memberRows, randomised } from "./states.ts";

const SOME: readonly MemberRecord[] = Array.from({ length: 1_000 }, (_, at) => ({
  ...{ ...randomised(new Random(at + 1), MEMBER), pid: at, comm: at % 3 === 0 ? "db" : "api" },
  source: at % 5 === 0 ? [0, 0, 0xffff, 0x7f00_0001] : [],
}));

describe("MemberRows", () => {
  test("has every number of every member in its column", () => {
    const rows = memberRows(SOME);
    expect(rows.length).toBe(SOME.length);
    expect(Array.from(rows.u32("pid"))).toEqual(SOME.map(({ pid }) => pid));
    expect(Array.from(rows.f64("lastNs"))).toEqual(SOME.map(({ lastNs }) => lastNs));
    expect(Array.from(rows.f64("stalledNs"))).toEqual(SOME.map(({ stalledNs }) => stalledNs));
    expect(Array.from(rows.u8("origin"))).toEqual(SOME.map(({ origin }) => origin));
    expect(Array.from(rows.u8("hasAddress"))).toEqual(SOME.map((one) => Number(one.hasAddress)));
  });

  test("gives the columns of some rows in their order", () => {
    const rows = memberRows(SOME);
    const wanted = Uint32Array.of(7, 3, 999, 0);
    const starts = rows.startsOf(wanted);
    const [keys, times] = [new Uint32Array(4), new Float64Array(4)];
    const [status, flags] = [new Uint8Array(4), new Uint16Array(4)];
    rows.takeU32("key", starts, keys);
    rows.takeF64("firstNs", starts, times);
    rows.takeU8("status", starts, status);
    rows.addFlag("isProven", starts, flags, 8);
    const those = Array.from(wanted, (row) => SOME[row]!);
    expect(Array.from(keys)).toEqual(those.map(({ key }) => key));
    expect(Array.from(times)).toEqual(those.map(({ firstNs }) => firstNs));
    expect(Array.from(status)).toEqual(those.map((one) => one.status));
    expect(Array.from(flags)).toEqual(those.map(({ isProven }) => (isProven ? 8 : 0)));
  });

  test("reads texts that are the same once, wherever they stand", () => {
    const members = Array.from({ length: 500 }, (_, at) => ({
      ...{ ...MEMBER, pid: at, comm: at % 2 === 0 ? "db" : "api" },
    }));
    const rows = memberRows(members);
    expect(rows.texts.map(({ comm }) => comm)).toEqual(["db", "api"]);
    expect(Array.from(rows.textsNumbers.subarray(0, 4))).toEqual([0, 1, 0, 1]);
  });

  test("makes the records of all of them, of a file that begins anywhere, too", () => {
    expect([...memberRows(SOME)]).toEqual([...SOME]);
    const bytes = bytesOf({ ...EMPTY, member: SOME });
    const room = new Uint8Array(bytes.length + 3);
    room.set(bytes, 3);
    const read = readState(room.subarray(3));
    expect(read.ok && [...read.state.member]).toEqual([...SOME]);
  });
});
