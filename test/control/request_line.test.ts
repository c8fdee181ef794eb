import { describe, expect, test } from "bun:test";
import type { Request } from "../../src/control/request.ts";
import { parseRequestLine, parseRequestQuery } from "../../src/control/request_line.ts";

const TABLE: readonly Request[] = [
  {
    name: "mute",
    right: "act",
    help: "",
    args: {
      agent: { is: "text", charsMax: 8, help: "", required: true },
      count: { is: "integer", min: 1, max: 9, help: "" },
      kind: { is: "word", words: ["a", "b"], help: "" },
      kinds: { is: "words", words: ["a", "b"], help: "" },
      force: { is: "flag", help: "" },
    },
    answer: "",
    run: () => ({ next: () => undefined }),
  },
];

function parsed(line: string): unknown {
  const result = parseRequestLine(Buffer.from(line), TABLE);
  if ("refusal" in result) return `${result.refusal.error}: ${result.refusal.text}`;
  return Object.fromEntries(result.args);
}

describe("parseRequestLine()", () => {
  test("takes a request with its arguments", () => {
    const line = '{"v":1,"do":"mute","agent":"worker","count":9,"kind":"b","force":false}\r';
    expect(parsed(line)).toEqual({ agent: "worker", count: 9, kind: "b", force: false });
    const several = '{"v":1,"do":"mute","agent":"worker","kinds":"b,a"}';
    expect(parsed(several)).toEqual({ agent: "worker", kinds: "b,a" });
  });

  test.each([
    ["", "bad_line"],
    ["[]", "bad_line"],
    ["null", "bad_line"],
    ['{"v":1', "bad_line"],
    ["{}", "bad_version: found no v; this daemon speaks 1"],
    ['{"v":"1"}', 'bad_version: found v "1"; this daemon speaks 1'],
    ['{"v":1}', "unknown_request: found no do; want the name of a request"],
    ['{"v":1,"do":"constructor"}', 'unknown_request: no request is called "constructor"'],
    ['{"v":1,"do":"mute"}', "bad_field: mute needs agent; want a text of 1 to 8 characters"],
    ['{"v":1,"do":"mute","agent":"123456789"}', "bad_field: agent: found"],
    ['{"v":1,"do":"mute","agent":""}', "bad_field: agent: found"],
    ['{"v":1,"do":"mute","agent":["a"]}', "bad_field: agent: found an array; want"],
    ['{"v":1,"do":"mute","agent":"a","count":1.5}', "bad_field: count: found 1.5; want an"],
    ['{"v":1,"do":"mute","agent":"a","count":10}', "bad_field: count: found 10; want an integer"],
    ['{"v":1,"do":"mute","agent":"a","kind":"c"}', 'bad_field: kind: found "c"; want "a" or "b"'],
    ['{"v":1,"do":"mute","agent":"a","kinds":"a,c"}', 'bad_field: kinds: found "a,c"; want some'],
    ['{"v":1,"do":"mute","agent":"a","kinds":""}', 'bad_field: kinds: found ""; want some of a, b'],
    ['{"v":1,"do":"mute","agent":"a","force":1}', "bad_field: force: found 1; want true or false"],
    ['{"v":1,"do":"mute","agent":"a","__proto__":1}', 'unknown_field: mute has no field "__pr'],
    ['{"v":1,"do":"mute","agent":"a","toString":1}', 'unknown_field: mute has no field "toS'],
  ])("refuses %s", (line, want) => {
    expect(parsed(line)).toStartWith(want);
  });

  test("refuses bytes that are no UTF-8", () => {
    const bytes = Uint8Array.of(0x22, 0xff, 0x22);
    expect(parseRequestLine(bytes, TABLE)).toMatchObject({ refusal: { error: "bad_line" } });
  });
});

describe("parseRequestQuery()", () => {
  test("reads numbers and flags from the texts of a query", () => {
    const query = new URLSearchParams("agent=7&count=7&force");
    const result = parseRequestQuery("mute", query, TABLE);
    expect("args" in result && Object.fromEntries(result.args)).toEqual({
      agent: "7",
      count: 7,
      force: true,
    });
  });
});
