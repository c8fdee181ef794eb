import { expect, test } from "bun:test";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { PauseCause } from "../../src/daemon/pause_cause.ts";
import type { OwnTimes } from "../../src/processes/own_times.ts";

const PAUSE = { endNs: 20 * NS_PER_S, ns: 2 * NS_PER_S };
const NONE = { stealNs: 0, diskNs: 0, frozenNs: 0, suspendedNs: 0 };

/** What the kernel counted: a daemon that ran for half of a time in which it was not at rest. */
class Kernel {
  cpuNs = 0;
  runDelayNs = 0;
  nowNs = 17 * NS_PER_S;
  reads = 0;

  read(): OwnTimes {
    this.reads += 1;
    return { ...NONE, cpuNs: this.cpuNs, runDelayNs: this.runDelayNs };
  }
}

function subject(): { kernel: Kernel; causes: PauseCause } {
  const kernel = new Kernel();
  return { kernel, causes: new PauseCause({ nowNs: () => kernel.nowNs, times: kernel }) };
}

test.each([
  [17, undefined],
  [18, "the daemon was stopped"],
  [20, "the daemon was stopped"],
  [21, "the daemon was stopped"],
  [22, undefined],
])(
  "a daemon that goes on at %i s was stopped if its pause was from 18 to 20 s",
  (second, clause) => {
    const { kernel, causes } = subject();
    kernel.cpuNs = 0.4 * PAUSE.ns;
    expect(causes.paused(PAUSE)).toBeUndefined();
    kernel.nowNs = second * NS_PER_S;
    causes.continued();
    expect(causes.of(PAUSE)).toBe(clause);
  },
);

test("a pause has the cause that was found when it ended, and no other pause has it", () => {
  const { kernel, causes } = subject();
  kernel.runDelayNs = PAUSE.ns;
  expect(causes.paused(PAUSE)).toBe("starved");
  expect(causes.of(PAUSE)).toBe("the machine was too busy to run the daemon");
  expect(causes.of({ ...PAUSE, endNs: PAUSE.endNs + 1 })).toBeUndefined();
});

test("what was counted a second before a pause began is none of its cause", () => {
  const { kernel, causes } = subject();
  kernel.cpuNs = 10 * NS_PER_S;
  causes.maintain(18 * NS_PER_S);
  expect(causes.paused(PAUSE)).toBe("stopped");
});

test("the kernel is asked once a second, and for each pause that is told", () => {
  const { kernel, causes } = subject();
  for (let ms = 0; ms <= 3_000; ms += 100) causes.maintain(17 * NS_PER_S + ms * NS_PER_MS);
  expect(kernel.reads).toBe(4);
  causes.paused({ ...PAUSE, ns: 100 * NS_PER_MS });
  expect(kernel.reads).toBe(4);
  causes.paused(PAUSE);
  expect(kernel.reads).toBe(5);
});
