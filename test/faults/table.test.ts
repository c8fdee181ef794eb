// What is printed of a row, and when it is as required (test/README.md).
import { describe, expect, test } from "bun:test";
import type { Counts } from "./counting.ts";
import { headLine, isAsRequired, type RowResult, rowLines } from "./table.ts";

const ZERO: Counts = {
  falseStalls: 0,
  missedStalls: 0,
  falseRecoveries: 0,
  lostRows: 0,
  leakedDescriptors: 0,
  failedBeats: 0,
};

function ran(counts: Partial<Counts>, bounds = {}): RowResult {
  return {
    kind: "ran",
    outcome: { faults: 1, counts: { ...ZERO, ...counts }, findings: [] },
    bounds,
  };
}

describe("isAsRequired()", () => {
  test("is true of a row of zeros", () => {
    expect(isAsRequired(ran({}))).toBe(true);
  });

  test.each(Object.keys(ZERO) as (keyof Counts)[])("is false if %s is one", (name) => {
    expect(isAsRequired(ran({ [name]: 1 }))).toBe(false);
  });

  test("is true up to a stated bound, of the count that it is stated for", () => {
    const bounds = { lostRows: { max: 2, because: "a reason" } };
    expect(isAsRequired(ran({ lostRows: 2 }, bounds))).toBe(true);
    expect(isAsRequired(ran({ lostRows: 3 }, bounds))).toBe(false);
    expect(isAsRequired(ran({ lostRows: 2, falseStalls: 1 }, bounds))).toBe(false);
  });

  test("is true of a fault that cannot be made here, and false of one that could not be run", () => {
    expect(isAsRequired({ kind: "skipped", why: "no root" })).toBe(true);
    expect(isAsRequired({ kind: "broken", why: "no daemon" })).toBe(false);
  });
});

describe("rowLines()", () => {
  test("stand below their titles, with the verdict at the end", () => {
    const [line] = rowLines("stop-3", "30 x 10 Hz", ran({ missedStalls: 2 }));
    const end = headLine().indexOf("missed stalls") + "missed stalls".length;
    expect(line!.slice(end - 2, end)).toBe(" 2");
    expect(line).toEndWith("FAILS");
  });

  test("say of a bound how much of it is used, and why there is one", () => {
    const bounds = { lostRows: { max: 2, because: "a reason" } };
    const [line, reason] = rowLines("kill-9", "load", ran({ lostRows: 1 }, bounds));
    expect(line).toContain("1 of 2");
    expect(line).toEndWith("ok");
    expect(reason).toBe("    lost rows, at most 2: a reason");
  });

  test("say in words why there are no counts", () => {
    expect(rowLines("a", "b", { kind: "skipped", why: "no root" })[1]).toBe("    skipped: no root");
    const [line, broken] = rowLines("a", "b", { kind: "broken", why: "no daemon" });
    expect(line).toEndWith("FAILS");
    expect(broken).toBe("    could not run: no daemon");
  });
});
