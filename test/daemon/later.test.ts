import { expect, test } from "bun:test";
import { Later } from "../../src/daemon/later.ts";

test("Later calls each who waits when its time has passed, and the loop knows when that is", () => {
  const later = new Later(() => 1_000);
  expect(later.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
  const woken: string[] = [];
  later.after(50, () => woken.push("second"));
  later.after(20, () => woken.push("first"));
  expect(later.nextDeadlineNs()).toBe(1_020);
  later.maintain(1_019);
  expect(woken).toEqual([]);
  later.maintain(1_020);
  expect(woken).toEqual(["first"]);
  expect(later.nextDeadlineNs()).toBe(1_050);
  later.maintain(1_050);
  expect(woken).toEqual(["first", "second"]);
});
