// The harness's own counting: every mistake that a daemon can make is counted as what it is, and a
// daemon that makes none has zeros (test/README.md).
import { describe, expect, test } from "bun:test";
import {
  judgeDescriptors,
  judgeRecoveries,
  judgeRows,
  judgeSends,
  judgeStalls,
  type Testimony,
  toldStalls,
} from "./counting.ts";
import { type Silence, SLACK_MS, Truth } from "./truth.ts";

const THRESHOLD_MS = 1_000;
const T = 1_700_000_000_000;

const DEAD: Silence = {
  pid: 7,
  fromMs: T,
  toMs: Number.POSITIVE_INFINITY,
  toldByMs: T + 3_000,
  how: "killed",
};

const NOTHING: Testimony = {
  stalls: [],
  ends: [],
  recoveries: [],
  loggedStalls: [],
  auditedPids: [],
  chainFaults: [],
  beats: [],
};

describe("Truth", () => {
  test("wants a death told two thresholds after it, or after the daemon could hear again", () => {
    const truth = new Truth();
    truth.silenced(7, T, { how: "killed", thresholdMs: THRESHOLD_MS });
    truth.silenced(8, T, { how: "killed", thresholdMs: THRESHOLD_MS, heardFromMs: T + 4_000 });
    const [first, second] = truth.silences;
    expect(first!.toldByMs).toBe(T + 2 * THRESHOLD_MS + SLACK_MS);
    expect(second!.toldByMs).toBe(T + 4_000 + 2 * THRESHOLD_MS + SLACK_MS);
    expect(truth.toldByMs).toBe(second!.toldByMs);
  });

  test("waits for nothing when nobody was silenced", () => {
    expect(new Truth().toldByMs).toBe(0);
  });
});

describe("judgeStalls()", () => {
  const counts = (silences: readonly Silence[], ...told: readonly [pid: number, ms: number][]) => {
    const stalls = told.map(([pid, ms]) => ({ pid, atMs: T + ms }));
    const { falseStalls, missedStalls } = judgeStalls(silences, stalls);
    return [falseStalls.count, missedStalls.count];
  };

  test("finds nothing where the dead one is told once and in time", () => {
    expect(counts([DEAD], [7, 1_200])).toEqual([0, 0]);
  });

  test("counts a healthy agent that is told as a false stall", () => {
    expect(counts([DEAD], [7, 1_200], [8, 1_200])).toEqual([1, 0]);
  });

  test("counts a dead one that is told twice as a false stall", () => {
    expect(counts([DEAD], [7, 1_200], [7, 2_200])).toEqual([1, 0]);
  });

  test("counts what is told before the silence began as false, and the silence as missed", () => {
    expect(counts([DEAD], [7, -1])).toEqual([1, 1]);
  });

  test("counts a silence that nobody told as missed", () => {
    expect(counts([DEAD])).toEqual([0, 1]);
  });

  test("counts a silence that is told a millisecond too late as missed, but not as false", () => {
    expect(counts([DEAD], [7, 3_000])).toEqual([0, 0]);
    expect(counts([DEAD], [7, 3_001])).toEqual([0, 1]);
  });

  test("counts an agent that beats again as healthy, once what it said has had time to arrive", () => {
    const woken = { ...DEAD, toMs: T + 500 };
    expect(counts([woken], [7, 500 + SLACK_MS])).toEqual([0, 0]);
    expect(counts([woken], [7, 501 + SLACK_MS])).toEqual([1, 1]);
  });

  test("wants each silence of one agent told by itself", () => {
    const first = { ...DEAD, toMs: T + 2_000 };
    const second = { ...DEAD, fromMs: T + 5_000, toldByMs: T + 8_000 };
    expect(counts([first, second], [7, 1_200], [7, 6_200])).toEqual([0, 0]);
    expect(counts([first, second], [7, 1_200])).toEqual([0, 1]);
  });

  test("names the first few of many that were missed, and counts all", () => {
    const many = Array.from({ length: 40 }, (_, at) => ({ ...DEAD, pid: at }));
    const { missedStalls } = judgeStalls(many, []);
    expect(missedStalls.count).toBe(40);
    expect(missedStalls.findings.slice(4)).toEqual([
      "pid 4, killed, was never told",
      "and 35 more",
    ]);
  });

  test("forgives a second telling by a daemon that was killed, for a while, and of no other agent", () => {
    const told = (pid: number, ms: number) => ({ pid, atMs: T + ms });
    const again = (second: number, pid = 7) =>
      judgeStalls([DEAD], [told(7, 1_000), told(pid, second)], 2_000);
    expect(again(2_900).falseStalls.count).toBe(0);
    expect(again(2_900).toldAgain.count).toBe(1);
    expect(again(3_100).falseStalls.count).toBe(1);
    expect(again(2_900, 8).falseStalls.count).toBe(1);
  });

  test("forgives it by the time in which a daemon was there", () => {
    const stalls = [1_000, 9_000].map((ms) => ({ pid: 7, atMs: T + ms }));
    const count = (aliveMs: number) =>
      judgeStalls([DEAD], stalls, 2_000, () => aliveMs).falseStalls.count;
    expect([count(2_000), count(2_001)]).toEqual([0, 1]);
  });

  test("says in words who was missed, and how many were told without cause", () => {
    const told = [8, 9, 9].map((pid) => ({ pid, atMs: T + 1_000 }));
    const { falseStalls, missedStalls } = judgeStalls([DEAD], told);
    expect(falseStalls.findings).toEqual([
      "called silent without cause: 2 agents, 3 times",
      "pid 8, healthy",
      "pid 9, healthy",
    ]);
    expect(missedStalls.findings).toEqual(["pid 7, killed, was never told"]);
  });
});

describe("toldStalls()", () => {
  const at = (pid: number) => ({ pid, atMs: T });

  test("takes a stall that both export and log have as one", () => {
    const told = toldStalls({ ...NOTHING, stalls: [at(7)], loggedStalls: [at(7)] });
    expect(told).toEqual([at(7)]);
  });

  test("adds what only the log has, of another agent or of a second silence", () => {
    const loggedStalls = [at(7), at(7), at(8)];
    const told = toldStalls({ ...NOTHING, stalls: [at(7)], loggedStalls });
    expect(told.map(({ pid }) => pid)).toEqual([7, 7, 8]);
  });

  test("takes the end of a process that is in no stall, and of one that is as the same news", () => {
    const told = toldStalls({ ...NOTHING, stalls: [at(7)], ends: [at(7), at(8)] });
    expect(told.map(({ pid }) => pid)).toEqual([7, 8]);
  });
});

test("judgeSends() counts every send that was refused, and says why", () => {
  expect(judgeSends({ full: 0, other: 0 })).toEqual({ count: 0, findings: [] });
  const { count, findings } = judgeSends({ full: 2, other: 1 });
  expect(count).toBe(3);
  expect(findings).toHaveLength(2);
});

describe("judgeRecoveries()", () => {
  test("wants none of a healthy agent, and of a dead one no second one", () => {
    const told = (...pids: number[]) => pids.map((pid) => ({ pid, atMs: T + 1_300 }));
    expect(judgeRecoveries([DEAD], told(7)).count).toBe(0);
    expect(judgeRecoveries([DEAD], told(7, 7)).count).toBe(1);
    expect(judgeRecoveries([DEAD], told(7, 8)).count).toBe(1);
    expect(judgeRecoveries([DEAD], []).count).toBe(0);
  });
});

describe("judgeRows()", () => {
  const at = (pid: number) => ({ pid, atMs: T });
  const sent = (...counts: [number, number][]) => new Map(counts);

  test("finds nothing where export and audit log have all that others know of", () => {
    const whole: Testimony = {
      ends: [],
      stalls: [at(7)],
      loggedStalls: [at(7)],
      recoveries: [at(7)],
      auditedPids: [7],
      chainFaults: [],
      beats: [7, 7, 8],
    };
    expect(judgeRows(whole, sent([7, 2], [8, 1]))).toEqual({ count: 0, findings: [] });
  });

  test("counts each beat that the kernel took and the export does not have", () => {
    expect(judgeRows({ ...NOTHING, beats: [7] }, sent([7, 3], [8, 1])).count).toBe(3);
  });

  test("says of how many agents beats are missing, and of one of them what it sent", () => {
    const { findings } = judgeRows({ ...NOTHING, beats: [7] }, sent([7, 3], [8, 1]));
    expect(findings).toEqual([
      "3 beats that the kernel took are not in the export, of 2 agents: 7 sent 3",
    ]);
  });

  test("lets no beat of one agent make up for one of another", () => {
    expect(judgeRows({ ...NOTHING, beats: [7, 7, 7] }, sent([7, 2], [8, 1])).count).toBe(1);
  });

  test("counts a stall that only the log has", () => {
    const testimony = { ...NOTHING, loggedStalls: [at(7), at(8)], stalls: [at(8)] };
    expect(judgeRows(testimony, sent()).count).toBe(1);
  });

  test("counts a recovery that ran and has no row in the audit log", () => {
    const testimony = { ...NOTHING, recoveries: [at(7), at(7)], auditedPids: [7] };
    expect(judgeRows(testimony, sent()).count).toBe(1);
  });

  test("counts a chain that is not whole", () => {
    const { count, findings } = judgeRows({ ...NOTHING, chainFaults: ["broken"] }, sent());
    expect([count, findings]).toEqual([1, ["broken"]]);
  });
});

describe("judgeDescriptors()", () => {
  const open = (sockets: number, files: number) =>
    new Map([
      ["socket:[]", sockets],
      ["/a/file", files],
    ]);

  test("finds nothing where as many or fewer are open", () => {
    expect(judgeDescriptors(open(3, 1), open(3, 1)).count).toBe(0);
    expect(judgeDescriptors(open(3, 1), open(2, 0)).count).toBe(0);
  });

  test("lets no file that was closed make up for a socket that leaked", () => {
    const { count, findings } = judgeDescriptors(open(3, 1), open(4, 0));
    expect([count, findings]).toEqual([1, ["1 more open: socket:[]"]]);
  });
});
