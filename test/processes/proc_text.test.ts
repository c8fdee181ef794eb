// The parsers of /proc/<pid> on hostile text (spec 05 section 5).
import { describe, expect, test } from "bun:test";
import {
  parseExitCode,
  parseNamespaceLink,
  parseNspids,
  parseGroups,
  parseRealUid,
  parseStartTime,
} from "../../src/processes/proc_text.ts";
import { statLine } from "./stat_line.ts";

const OWN = 4_026_531_836;

describe("parseRealUid()", () => {
  test.each([
    ["Name:\tx\nUid:\t1000\t0\t0\t0\nGid:\t7\t7\t7\t7\n", 1_000],
    ["Name:\tUid:\t5\t\nUid:\t4294967295\t0\t0\t0\n", 4_294_967_295],
    ["Name:\tx\nUid:\t1000", Number.NaN],
    ["Name:\tx\nGid:\t7\t7\t7\t7\n", Number.NaN],
    ["Name:\tx\nUid:\t-1\t0\t0\t0\n", Number.NaN],
    ["", Number.NaN],
  ])("%j is %p", (text, uid) => {
    expect(parseRealUid(text)).toBe(uid);
  });
});

describe("parseGroups()", () => {
  test.each([
    ["Gid:\t7\t8\t7\t7\nGroups:\t4 24 1000 \n", [8, 4, 24, 1_000]],
    ["Gid:\t7\t8\t7\t7\nGroups:\t \n", [8]],
    ["Groups:\t4\n", [4]],
    ["", []],
  ])("%j is %p", (text, groups) => {
    expect(parseGroups(text)).toEqual(groups);
  });
});

describe("parseExitCode()", () => {
  const until52 = (state: string) =>
    `7 (a) Z b) ${state} 1 7 7 0 -1 4227084 0 0 0 0 0 0 0 0 20 0 1 0 99 ${"0 ".repeat(29)}`;

  test("is field 52 of a process that has ended, behind any name", () => {
    expect(parseExitCode(`${until52("Z")}768\n`)).toBe(768);
    expect(parseExitCode(`${until52("Z")}0\n`)).toBe(0);
  });

  test("is unknown of one that runs, and of a line that was cut", () => {
    expect(parseExitCode(`${until52("S")}768\n`)).toBeNaN();
    expect(parseExitCode(until52("Z"))).toBeNaN();
    expect(parseExitCode("")).toBeNaN();
  });
});

describe("parseStartTime()", () => {
  test.each([
    ["a plain name", "bash"],
    ["an empty name", ""],
    ["a name with spaces", "tmux: server 1 2 3"],
    ["a name with closing parentheses", "a) S 1 (b))"],
    ["a name that looks like the rest of the line", ") S 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9"],
    ["a name with a newline", "two\nlines)\n"],
  ])("finds field 22 behind %s", (_what, name) => {
    expect(parseStartTime(statLine(name, "987654321"))).toBe(987_654_321);
  });

  test.each([
    ["no parenthesis", "42 bash S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21"],
    ["too few words", "42 (bash) S 1 42 42 0 -1 4194304 100 0 0 0 1 2 0 0 20 0 1 0"],
    ["nothing", ""],
    ["a word that is no number", statLine("bash", "12x4")],
    ["a negative number", statLine("bash", "-5")],
    ["a number that f64 cannot hold exactly", statLine("bash", "9007199254740993")],
  ])("is unknown for %s", (_what, text) => {
    expect(parseStartTime(text)).toBeNaN();
  });

  test("takes 0 and 2^53-1", () => {
    expect(parseStartTime(statLine("x", "0"))).toBe(0);
    expect(parseStartTime(statLine("x", "9007199254740991"))).toBe(Number.MAX_SAFE_INTEGER);
  });
});

describe("parseNamespaceLink()", () => {
  test("reads the inode", () => {
    expect(parseNamespaceLink("pid:[4026531836]")).toBe(OWN);
  });

  test.each([
    "",
    "pid:[]",
    "pid:[12",
    "pid:12",
    "pid:[1 2]",
    "pid:[-1]",
    "pid:[0x10]",
    "pid:[12]x",
    "xpid:[12]",
    "net:[12]",
    "pid:[12]\n",
    "pid:[99999999999999999999]",
  ])("is unknown for %p", (text) => {
    expect(parseNamespaceLink(text)).toBeNaN();
  });
});

describe("parseNspids()", () => {
  test.each([
    ["Name:\tx\nNSpid:\t42\nNSpgid:\t42\n", [42]],
    ["Name:\tx\nNSpid:\t42\t1\nNSpgid:\t42\t1\n", [42, 1]],
    ["NSpid:\t42\t17\t1\n", [42, 17, 1]],
    ["Name:\tNSpid:\t7\nPid:\t42\n", []],
    ["Name:\tx\nNSpid:\t\n", []],
    ["Name:\tx\nNSpid:\t42 x\n", []],
    ["", []],
  ])("reads %p as %p", (text, pids) => {
    expect(parseNspids(text)).toEqual(pids);
  });

  test("does not trust a line that the end of the buffer cut short", () => {
    expect(parseNspids("Name:\tx\nNSpid:\t42")).toEqual([]);
  });
});
