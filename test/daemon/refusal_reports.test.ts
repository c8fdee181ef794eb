// What a person reads about refused datagrams: the cause in words, at once and then once a minute,
// and never more.
import { describe, expect, test } from "bun:test";
import { LISTENERS_MAX } from "../../src/base/limits.ts";
import {
  REJECT_CAPACITY,
  REJECT_NAMESPACE_CONFLICT,
  REJECT_PID,
  REJECT_RATE_PER_PID,
  REJECT_UID,
} from "../../src/base/reject_reason.ts";
import { NS_PER_S } from "../../src/base/time.ts";
import { Log } from "../../src/daemon/log.ts";
import { RefusalReports } from "../../src/daemon/refusal_reports.ts";
import { type RefusedExample, refusalCause, refusalHint } from "../../src/daemon/refusal_texts.ts";
import { Datagram } from "../../src/events/datagram.ts";
import { decodeRefusal, REFUSAL_COUNT, REFUSALS, Refusals } from "../../src/events/refusals.ts";
import type { ListenerKind } from "../../src/listener/listener.ts";
import { DECODE_BAD_CRC, DECODE_BAD_VERSION } from "../../src/wire/decode_error.ts";
import { ScriptedListener } from "../support/scripted_listener.ts";

const CAPACITY = 256;

function exampleAt(kind: ListenerKind, takesControl: boolean): RefusedExample {
  return {
    kind,
    containers: kind === "unix",
    takesControl,
    framePid: 2,
    peerPid: 4_711,
    peerUid: 1_000,
    detail: 0,
    hasEnded: false,
    innermostPid: 2,
    trackerCapacity: CAPACITY,
  };
}

class ReportsHarness {
  readonly refusals = new Refusals();
  readonly lines: string[] = [];
  readonly reports: RefusalReports;
  nowNs = 5 * NS_PER_S;
  /** Kernel pid to the pid that the process has in its own namespace. */
  readonly innermost = new Map<number, number>();
  /** Pids that no process has. */
  readonly gone = new Set<number>();

  constructor(listenerCount = 1) {
    const log = new Log({
      level: "info",
      format: "logfmt",
      write: (line) => this.lines.push(line.trimEnd()),
      wallMs: () => 0,
      monotonicNs: () => this.nowNs,
      journal: true,
      sessionId: "0",
    });
    this.reports = new RefusalReports({
      log,
      refusals: this.refusals,
      listeners: Array.from(
        { length: listenerCount },
        (_, listenerNumber) => new ScriptedListener({ name: `l${listenerNumber}` }),
      ),
      trackerCapacity: () => CAPACITY,
      takesControl: true,
      innermostPid: (pid) => this.innermost.get(pid) ?? Number.NaN,
      isGone: (pid) => this.gone.has(pid),
    });
  }

  refuse(
    refusal: number,
    times: number,
    framePid = 0,
    peerPid = 0,
    listenerNumber = 0,
    detail = Number.NaN,
  ): this {
    const sent = { pid: framePid, peerPid, peerUid: 1_000, listenerNumber };
    const datagram = Object.assign(new Datagram(), sent);
    for (let i = 0; i < times; i++) this.refusals.note(datagram, refusal, detail);
    return this;
  }

  /** Time passes, and a turn ends; the lines that it wrote. */
  turn(afterS = 0): string[] {
    this.nowNs += afterS * NS_PER_S;
    this.reports.look(this.nowNs);
    return this.lines.splice(0);
  }
}

describe("a refusal is reported", () => {
  test("at once, with its cause, its sender and what to do", () => {
    const harness = new ReportsHarness().refuse(REJECT_UID, 3, 77, 77);
    expect(harness.turn()).toEqual([
      '<4>level=warn msg="beats refused" pid=77 listener=l0 reason=uid ' +
        'cause="uid 1000 (pid 77) is on no allow list of the listener" count=3 ' +
        "sender_pid=77 sender_uid=1000 " +
        'hint="add it to allow_uids, or its group to allow_gids, if it may beat here"',
    ]);
    expect(harness.turn()).toEqual([]);
  });

  test("once a minute after that, with the number in between", () => {
    const harness = new ReportsHarness().refuse(REJECT_CAPACITY, 1, 9, 9);
    expect(harness.turn()[0]).toContain(
      `cause="the table of ${CAPACITY} agents is full, pid 9 has no place" count=1 `,
    );
    for (let second = 1; second < 60; second++) {
      expect(harness.refuse(REJECT_CAPACITY, 10, 8, 8).turn(1)).toEqual([]);
      expect(harness.reports.nextDeadlineNs()).toBe(65 * NS_PER_S);
    }
    const [line, ...more] = harness.turn(1);
    expect(more).toEqual([]);
    expect(line).toContain(
      'cause="the table of 256 agents is full, pid 8 has no place" count=590 ',
    );
    expect(line).toContain("since_s=60");
  });

  test("not again if nothing more was refused, and at once after a quiet minute", () => {
    const harness = new ReportsHarness().refuse(REJECT_CAPACITY, 1);
    harness.turn();
    expect(harness.turn(61)).toEqual([]);
    expect(harness.reports.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
    expect(harness.refuse(REJECT_CAPACITY, 2).turn(0)).toHaveLength(1);
  });

  test("by listener and reason, each for itself, and a decode error by its kind", () => {
    const harness = new ReportsHarness(2)
      .refuse(decodeRefusal(DECODE_BAD_CRC), 2)
      .refuse(decodeRefusal(DECODE_BAD_VERSION), 1)
      .refuse(decodeRefusal(DECODE_BAD_CRC), 4, 0, 0, 1);
    const lines = harness.turn();
    expect(lines.map((line) => /listener=(\w+) reason=(\w+)/.exec(line)!.slice(1))).toEqual([
      ["l0", "bad_version"],
      ["l0", "bad_crc"],
      ["l1", "bad_crc"],
    ]);
    expect(lines[2]).toContain('cause="wrong checksum" count=4 ');
  });

  test("at the end of the daemon, if no line has it yet", () => {
    const harness = new ReportsHarness().refuse(REJECT_CAPACITY, 1);
    harness.turn();
    harness.refuse(REJECT_CAPACITY, 5).turn();
    harness.reports.flush(harness.nowNs);
    expect(harness.lines[0]).toContain(" count=5 ");
  });

  test("in a bounded number of lines, whatever comes", () => {
    const harness = new ReportsHarness(LISTENERS_MAX);
    let lines = 0;
    for (let second = 0; second < 30; second++) {
      for (let listenerNumber = 0; listenerNumber < LISTENERS_MAX; listenerNumber++)
        for (let refusal = 0; refusal < REFUSAL_COUNT; refusal++)
          harness.refuse(refusal, 1, 7, 8, listenerNumber);
      lines += harness.turn(1).length;
    }
    expect(lines).toBe(LISTENERS_MAX * REFUSAL_COUNT);
  });
});

describe("a frame pid that is not the kernel's", () => {
  test("names both pids and the namespace, if the sender has that pid in its own", () => {
    const harness = new ReportsHarness().refuse(REJECT_PID, 30, 2, 4_711);
    harness.innermost.set(4_711, 2);
    expect(harness.turn()[0]).toContain(
      'cause="frame pid 2 is kernel pid 4711, the agent runs in another pid namespace" count=30 ',
    );
  });

  test("is a process that beats for another one, if it has no other pid", () => {
    const harness = new ReportsHarness().refuse(REJECT_PID, 1, 99, 4_711);
    harness.innermost.set(4_711, 4_711);
    expect(harness.turn()[0]).toContain(
      "frame pid 99 is kernel pid 4711, a process beats for another",
    );
  });

  test("may be both, if the process is gone", () => {
    const [line] = new ReportsHarness().refuse(REJECT_PID, 1, 99, 4_711).turn();
    expect(line).toContain("another pid namespace or is not the one it claims to be");
  });
});

describe("a namespace conflict", () => {
  const refuse = (inode: number, hasEnded = false): string => {
    const harness = new ReportsHarness();
    if (hasEnded) harness.gone.add(77);
    return harness.refuse(REJECT_NAMESPACE_CONFLICT, 1, 77, 77, 0, inode).turn()[0]!;
  };

  test("is two namespaces, if the second one was seen", () => {
    expect(refuse(4_026_531_836)).toContain("pid 77 beats from two pid namespaces");
  });

  test("is one namespace of a process that ended, if none can be read any more", () => {
    const line = refuse(Number.NaN);
    expect(line).toContain("the pid namespace of pid 77, which was known, cannot be read any more");
    expect(line).toContain("a process that ended right after this beat");
    expect(line).not.toContain("two");
  });

  test("is a beat that was read too late, if no process has the pid any more", () => {
    const line = refuse(Number.NaN, true);
    expect(line).toContain(
      "pid 77 has ended: its beat was read too late to tell its pid namespace",
    );
    expect(line).not.toContain("/proc");
  });
});

test("a pid of another, whose process has ended, is not said to be of another namespace alone", () => {
  const harness = new ReportsHarness();
  harness.gone.add(78);
  const line = harness.refuse(REJECT_PID, 1, 77, 78).turn()[0]!;
  expect(line).toContain(
    'cause="frame pid 77 is kernel pid 78, which has ended: a child that beat for its parent,',
  );
  expect(line).toContain('hint="after a fork the child needs a client of its own;');
});

test("hellos that are too many are not said to be beats, and limits.per_pid_rate is no remedy", () => {
  const line = new ReportsHarness().refuse(REJECT_RATE_PER_PID, 1, 77, 77, 0, 1).turn()[0]!;
  expect(line).toContain('cause="pid 77 says hello or bye more than four times a second"');
  expect(line).not.toContain("per_pid_rate allows");
  expect(line).not.toContain("limits");
});

describe("every refusal", () => {
  const kinds: readonly ListenerKind[] = ["unix", "udp", "secure-udp"];

  test.each(REFUSALS.map((refusal) => [refusal] as const))(
    "%s has a cause and a remedy",
    (refusal) => {
      for (const kind of kinds) {
        const example = exampleAt(kind, true);
        const cause = refusalCause(refusal, example);
        const hint = refusalHint(refusal, example);
        // It is said of one beat as well as of thirty.
        expect(cause).not.toMatch(/\b(they|their|them)\b/);
        expect(cause.length).toBeGreaterThan(6);
        expect(cause.length).toBeLessThan(280);
        expect(hint.length).toBeGreaterThan(10);
        expect(`${cause} ${hint}`).not.toMatch(/NaN|undefined/);
      }
    },
  );
});

test.each([
  ["unix", true, "wrong length, neither 32 bytes (a beat) nor 64 (a hello or a bye)"],
  ["unix", false, "wrong length, not 32 bytes"],
  [
    "secure-udp",
    true,
    "wrong length, neither 60 or 64 bytes (a beat) nor 92 or 96 (a hello or a bye)",
  ],
  ["secure-udp", false, "wrong length, neither 60 nor 64 bytes"],
] as const)("the right lengths at %s with hellos %p are said", (kind, takesControl, cause) => {
  expect(refusalCause("wrong_size", exampleAt(kind, takesControl))).toBe(cause);
});

describe("what was refused most often", () => {
  test("is nothing, then the reason with the most, and what its last sender was", () => {
    const harness = new ReportsHarness(2);
    expect(harness.reports.mostFrequent()).toBeNull();
    harness.refuse(REJECT_UID, 3, 77, 77).refuse(REJECT_CAPACITY, 2, 9, 9, 1);
    expect(harness.reports.mostFrequent()).toMatchObject({
      count: 3,
      reason: "uid",
      listener: "l0",
      claimed_pid: 77,
      pid: 77,
      cause: "uid 1000 (pid 77) is on no allow list of the listener",
      in_container: false,
    });
  });

  test("is a container where the sender has the claimed pid in its own namespace", () => {
    const harness = new ReportsHarness().refuse(REJECT_PID, 30, 2, 4_711);
    expect(harness.reports.mostFrequent()?.in_container).toBe(false);
    harness.innermost.set(4_711, 2);
    expect(harness.reports.mostFrequent()).toMatchObject({ in_container: true, pid: 4_711 });
  });
});
