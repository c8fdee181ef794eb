import { describe, expect, test } from "bun:test";
import { type Deadline, Deadlines } from "../../src/daemon/deadline.ts";

function due(dueNs: number, seen: string[] = []): Deadline {
  return {
    nextDeadlineNs: () => dueNs,
    maintain: (nowNs) => seen.push(`${dueNs} at ${nowNs}`),
  };
}

describe("Deadlines", () => {
  test("without a timer are never due", () => {
    expect(new Deadlines().earliestNs()).toBe(Number.POSITIVE_INFINITY);
  });

  test("are due with the earliest of them", () => {
    const deadlines = new Deadlines();
    deadlines.add(due(7), due(3), due(Number.POSITIVE_INFINITY));
    deadlines.add(due(5));
    expect(deadlines.earliestNs()).toBe(3);
  });

  test("are all maintained, in the order in which they were added: each knows what is due", () => {
    const seen: string[] = [];
    const deadlines = new Deadlines();
    deadlines.add(due(9, seen), due(1, seen));
    deadlines.maintain(4);
    expect(seen).toEqual(["9 at 4", "1 at 4"]);
  });
});
