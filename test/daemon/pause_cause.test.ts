import { expect, test } from "bun:test";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { PauseCause, TOLD_PAUSES } from "../../src/daemon/pause_cause.ts";
import type { OwnTimes } from "../../src/processes/own_times.ts";
import { counted } from "../support/since.ts";

const PAUSE = { endNs: 20 * NS_PER_S, ns: 2 * NS_PER_S };
const NONE = { stealNs: 0, diskNs: 0, frozenNs: 0 };

/** What the kernel counted: a daemon that ran for half of a time in which it was not at rest. */
class Kernel {
  cpuNs = 0;
  runDelayNs = 0;
  suspendedNs = 0;
  nowNs = 17 * NS_PER_S;
  reads = 0;

  read(): OwnTimes {
    this.reads += 1;
    const { cpuNs, runDelayNs, suspendedNs } = this;
    return { ...NONE, cpuNs, runDelayNs, suspendedNs };
  }
}

function subject(goesOnAsleep = false): { kernel: Kernel; causes: PauseCause } {
  const kernel = new Kernel();
  const options = { nowNs: () => kernel.nowNs, times: kernel, goesOnAsleep };
  return { kernel, causes: new PauseCause(options) };
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
    expect(causes.paused(PAUSE)?.cause).toBeUndefined();
    kernel.nowNs = second * NS_PER_S;
    causes.continued();
    expect(causes.last(PAUSE)).toEqual({ ...PAUSE, cause: clause, isSilence: false });
  },
);

test("a pause has the cause that was found when it ended, and no other pause has it", () => {
  const { kernel, causes } = subject();
  kernel.runDelayNs = PAUSE.ns;
  expect(causes.paused(PAUSE, "reap")).toMatchObject({ cause: "starved", stage: undefined });
  expect(causes.last(PAUSE)?.cause).toBe("the machine was too busy to run the daemon");
  expect(causes.last({ ...PAUSE, endNs: PAUSE.endNs + 1 })?.cause).toBeUndefined();
});

test("what was counted a second before a pause began is none of its cause", () => {
  const { kernel, causes } = subject();
  kernel.cpuNs = 10 * NS_PER_S;
  causes.maintain(18 * NS_PER_S);
  expect(causes.paused(PAUSE)?.cause).toBe("stopped");
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

test("a pause by the daemon's own work names the stage that took longest", () => {
  const { kernel, causes } = subject();
  kernel.cpuNs = PAUSE.ns;
  expect(causes.paused(PAUSE, "recover")).toMatchObject({ cause: "long_stage", stage: "recover" });
  expect(causes.last(PAUSE)?.cause).toBe("the daemon was busy with one stage, recover");
});

test.each([false, true])(
  "a pause in which the machine was suspended is longer by that; observer time went on: %p",
  (isSilence) => {
    const { kernel, causes } = subject(isSilence);
    kernel.suspendedNs = 3_600 * NS_PER_S;
    const ns = PAUSE.ns + 3_600 * NS_PER_S;
    expect(causes.paused(PAUSE)).toMatchObject({ cause: "suspended", ns, isSilence });
    const cause = "the machine was suspended";
    expect(causes.last(PAUSE)).toMatchObject({ cause, ns, isSilence });
    kernel.cpuNs = PAUSE.ns;
    expect(causes.paused({ ...PAUSE, endNs: 30 * NS_PER_S })?.isSilence).toBe(false);
  },
);

test.each([false, true])(
  "a suspend without a pause is told within a second; observer time went on: %p",
  (goesOnAsleep) => {
    const { kernel, causes } = subject(goesOnAsleep);
    kernel.suspendedNs = 60 * NS_PER_S;
    const endNs = 18 * NS_PER_S;
    expect(causes.maintain(endNs - 1)).toBeUndefined();
    const told = { endNs, ns: 60 * NS_PER_S, isSilence: goesOnAsleep };
    expect(causes.maintain(endNs)).toEqual({ ...told, cause: "suspended", stage: undefined });
    // It is the last one, also if deadlines were moved before it.
    expect(causes.last({ endNs: endNs - 1, ns: 5 })).toEqual({
      ...told,
      cause: "the machine was suspended",
    });
    expect(causes.maintain(endNs + NS_PER_S)).toBeUndefined();
  },
);

test("the two clocks that are compared are read one after the other: that is no suspend", () => {
  const { kernel, causes } = subject();
  kernel.suspendedNs = 100 * NS_PER_MS;
  expect(causes.maintain(18 * NS_PER_S)).toBeUndefined();
});

test("what is told is counted by its cause", () => {
  const { kernel, causes } = subject();
  kernel.cpuNs = 0.4 * PAUSE.ns;
  causes.paused(PAUSE);
  causes.paused({ ...PAUSE, ns: 100 * NS_PER_MS });
  kernel.suspendedNs = NS_PER_S;
  causes.maintain(21 * NS_PER_S);
  const { by } = TOLD_PAUSES;
  const counts = [by.unknown, by.suspended, by.stopped].map((cell) =>
    counted(causes.counters, cell),
  );
  expect(counts).toEqual([1, 1, 0]);
});
