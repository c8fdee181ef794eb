import { expect, test } from "bun:test";
import { Later } from "../../src/daemon/later.ts";

test("Later wakes each who waits when its time has passed, and the loop knows when that is", async () => {
  let nowNs = 1_000;
  const later = new Later(() => nowNs);
  expect(later.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
  const woken: string[] = [];
  const waits = [
    later.after(50).then(() => woken.push("second")),
    later.after(20).then(() => woken.push("first")),
  ];
  expect(later.nextDeadlineNs()).toBe(1_020);
  later.maintain(1_019);
  nowNs = 1_020;
  later.maintain(nowNs);
  await waits[1];
  expect(woken).toEqual(["first"]);
  expect(later.nextDeadlineNs()).toBe(1_050);
  later.maintain(1_050);
  await waits[0];
  expect(woken).toEqual(["first", "second"]);
});
