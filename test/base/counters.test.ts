import { describe, expect, test } from "bun:test";
import {
  block,
  blockPer,
  Counters,
  counter,
  familiesOf,
  gauge,
  histogram,
  unlisted,
} from "../../src/base/counters.ts";

const PUMP = block({
  strokes: counter("varta_strokes_total", "Strokes."),
  leaks: counter("varta_leaks_total", "Leaks.", { label: "place", values: ["valve", "seal"] }),
  level: gauge("varta_level", "Level."),
  pressure: gauge("varta_pressure", "Pressure.", {
    label: "side",
    values: ["in", "out"],
    ask: (owner: { readonly bars: readonly number[] }, index, nowNs) => owner.bars[index]! + nowNs,
  }),
  stroke: histogram("varta_stroke_seconds", "Time of a stroke.", {
    bounds: ["0.1", "0.5"],
    label: "side",
    values: ["in", "out"],
  }),
  idle: unlisted(),
});

function pump(bars: readonly number[] = [0, 0], settle?: () => void) {
  return new Counters(PUMP, { bars }, settle);
}

function columnOf(counters: ReturnType<typeof pump>, name: string): number[] {
  const family = familiesOf(PUMP).findIndex((each) => each.name === name);
  return [...counters.columns[family]!];
}

describe("Counters", () => {
  test("start at 0", () => {
    for (const column of pump().columns) expect([...column]).toEqual([...column].fill(0));
  });

  test("count each row and label value by itself", () => {
    const counters = pump();
    counters.add(PUMP.strokes);
    counters.add(PUMP.strokes, 2);
    counters.add(PUMP.leaks.seal);
    counters.set(PUMP.level, 7);
    counters.add(PUMP.idle, 4);
    expect(columnOf(counters, "varta_strokes_total")).toEqual([3]);
    expect(columnOf(counters, "varta_leaks_total")).toEqual([0, 1]);
    expect(columnOf(counters, "varta_level")).toEqual([7]);
    expect(counters.get(PUMP.idle)).toBe(4);
    expect(counters.get(PUMP.leaks.valve)).toBe(0);
  });

  test("stop at 2^53-1", () => {
    const counters = pump();
    counters.add(PUMP.strokes, Number.MAX_SAFE_INTEGER - 1);
    counters.add(PUMP.strokes, 5);
    counters.add(PUMP.strokes);
    expect(counters.get(PUMP.strokes)).toBe(Number.MAX_SAFE_INTEGER);
  });

  test("put an observation into the first bucket whose bound is at least that, and add it up in ns", () => {
    const counters = pump();
    for (const seconds of [0, 0.1, 0.100000001, 0.5, 0.6, 1e6])
      counters.observe(PUMP.stroke.out, seconds);
    counters.observeZeros(PUMP.stroke.out, 10);
    const none = [0, 0, 0, 0];
    expect(columnOf(counters, "varta_stroke_seconds")).toEqual([
      ...none,
      1e15 + 1.300000001e9,
      12,
      2,
      2,
    ]);
  });

  test("ask their owner when they are brought up to date, after what was to be settled", () => {
    const bars = [1, 2];
    const counters = pump(bars, () => {
      bars[1] = 5;
    });
    expect(columnOf(counters, "varta_pressure")).toEqual([0, 0]);
    counters.refresh(100);
    expect(columnOf(counters, "varta_pressure")).toEqual([101, 105]);
  });

  test("of two instances are two columns", () => {
    const [one, other] = [pump(), pump()];
    one.add(PUMP.strokes);
    expect([one.get(PUMP.strokes), other.get(PUMP.strokes)]).toEqual([1, 0]);
  });
});

test("blockPer() says what its instances are told apart by", () => {
  const byTank = blockPer(["tank"], { fills: counter("varta_fills_total", "Fills.") });
  expect(familiesOf(byTank).map(({ instanceLabels }) => instanceLabels)).toEqual([["tank"]]);
});
