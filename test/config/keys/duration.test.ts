import { describe, expect, test } from "bun:test";
import { durationText } from "../../../src/base/duration_text.ts";
import { parseDurationMs } from "../../../src/config/keys/duration.ts";

describe("parseDurationMs()", () => {
  test("reads every unit", () => {
    const cases: [string, number][] = [
      ["0ms", 0],
      ["1ms", 1],
      ["500ms", 500],
      ["5s", 5_000],
      ["1.5s", 1_500],
      ["0.1s", 100],
      ["0.001s", 1],
      ["1.005s", 1_005],
      ["10m", 600_000],
      ["2h", 7_200_000],
      ["2160h", 7_776_000_000],
      ["007s", 7_000],
    ];
    for (const [text, ms] of cases) expect(parseDurationMs(text)).toBe(ms);
  });

  test("says what is wrong with a text", () => {
    const cases: [string, string][] = [
      ["5", "no unit"],
      ["1.5", "no unit"],
      ["", "not a duration"],
      ["5 s", "not a duration"],
      ["-5s", "not a duration"],
      ["5S", "not a duration"],
      ["5d", "not a duration"],
      [".5s", "not a duration"],
      ["1e3s", "not a duration"],
      ["0.5ms", "not whole milliseconds"],
      ["0.0005s", "not whole milliseconds"],
      ["2160.1h", "over 90 days"],
      ["99999999999999999999h", "over 90 days"],
    ];
    for (const [text, fault] of cases) expect(parseDurationMs(text)).toBe(fault as never);
  });
});

test("durationText() writes the shortest exact text, which parses back", () => {
  const cases: [number, string][] = [
    [0, "0ms"],
    [999, "999ms"],
    [1_000, "1s"],
    [1_500, "1500ms"],
    [60_000, "1m"],
    [90_000, "90s"],
    [3_600_000, "1h"],
  ];
  for (const [ms, text] of cases) {
    expect(durationText(ms)).toBe(text);
    expect(parseDurationMs(text)).toBe(ms);
  }
});
