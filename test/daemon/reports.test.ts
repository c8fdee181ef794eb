// What a person reads about agents and recoveries (spec 10 section 8), and how a mass stall stays
// readable.
import { describe, expect, test } from "bun:test";
import { ORIGIN_OPERATOR_ATTESTED } from "../../src/base/origin.ts";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { endNumbers } from "../../src/base/wait_status.ts";
import { Log } from "../../src/daemon/log.ts";
import { Reports } from "../../src/daemon/reports.ts";
import type { Identity } from "../../src/processes/identity.ts";
import type { Returned } from "../../src/daemon/tick.ts";
import { NOTHING_FOUND } from "../../src/events/stall_verdict.ts";
import { REASONS } from "../../src/events/outcome_words.ts";
import { stallOf } from "../recovery/harness.ts";
import { outcomeOf } from "../support/outcome_of.ts";

const LINES_PER_S_MAX = 200;
/** Before a recovery has begun. */
const REFUSED = { ...outcomeOf("refused"), recoveryId: 0 };

class Subject {
  readonly lines: string[] = [];
  readonly conflicts: string[] = [];
  readonly cutOff = new Set<number>();
  nowNs = 50 * NS_PER_S;
  readonly reports = new Reports({
    log: new Log({
      level: "info",
      format: "logfmt",
      write: (line) => this.lines.push(line.slice(line.indexOf("level="), -1)),
      wallMs: () => 0,
      monotonicNs: () => this.nowNs,
      journal: false,
      sessionId: "",
    }),
    listenerNames: ["main", "aux"],
    agentName: (number) => (number === 9 ? "worker@3" : ""),
    nowNs: () => this.nowNs,
    wallMs: () => 0,
    mayBeCutOff: ({ pid }) => this.cutOff.has(pid),
    namespaceConflict: (pid, inode) => this.conflicts.push(`${pid} in ${inode}`),
  });

  take(): string[] {
    return this.lines.splice(0);
  }
}

function returned(some: Partial<Returned>): Returned {
  const key = some.pid ?? 42;
  return { observerNs: 9e9, key, pid: key, agent: 9, listener: 0, status: 0, ...some };
}

describe("a member that came", () => {
  const facts = { pid: 42, uid: 33, user: "app", listener: "local", address: "" };

  test("is told with its agent, unit, user and listener, as far as they are known", () => {
    const { reports, lines } = new Subject();
    const identity = { unit: "worker@3.service", unitUser: "" } as Identity;
    reports.came(9, { ...facts, identity });
    reports.came(9, { ...facts, identity: { ...identity, unitUser: "app" } });
    reports.came(3, { ...facts, user: "", identity: undefined });
    const came = 'level=info msg="member came"';
    expect(lines).toEqual([
      `${came} agent=worker@3 pid=42 unit=worker@3.service user=app listener=local`,
      `${came} agent=worker@3 pid=42 unit=app:worker@3.service user=app listener=local`,
      `${came} pid=42 listener=local`,
    ]);
  });

  test("has 200 lines a second, which take none from those of stalls", () => {
    const subject = new Subject();
    for (let i = 0; i < LINES_PER_S_MAX + 7; i++)
      subject.reports.came(9, { ...facts, identity: undefined });
    subject.reports.stalled(stallOf());
    expect(subject.take()).toHaveLength(LINES_PER_S_MAX + 1);
    subject.nowNs = subject.reports.nextDeadlineNs();
    subject.reports.maintain(subject.nowNs);
    expect(subject.take()).toEqual([
      'level=warn msg="lines left out" about="members that came" count=7 limit_per_s=200',
    ]);
  });
});

describe("stalls and returns", () => {
  test("a stall tells everything that is known about the agent", () => {
    const { reports, lines } = new Subject();
    reports.stalled(stallOf({ pid: 42, lastNs: 1e9, observerNs: 6.5e9, lastNonceHi: 1 }));
    expect(lines).toEqual([
      'level=warn msg="agent stalled" agent=worker@3 pid=42 listener=aux silence_ms=5500 threshold_ms=5000 ' +
        "status=degraded last_nonce=4294967313 origin=kernel_attested",
    ]);
  });

  test("a stall of one that hangs while it stops tells since when", () => {
    const { reports, lines } = new Subject();
    reports.stalled(stallOf({ observerNs: 95e9, goodbyeNs: 5e9 }));
    expect(lines[0]).toContain(" since=goodbye goodbye_ms=90000 ");
  });

  test("a stall that its member asked for tells that", () => {
    const { reports, lines } = new Subject();
    reports.stalled(stallOf({ isTriggered: true }));
    expect(lines[0]).toContain(" since=trigger ");
  });

  test("a stall tells that its sender is not proven, where a sender could be", () => {
    const { reports, lines } = new Subject();
    reports.stalled(stallOf({ proven: false }));
    reports.stalled(stallOf({ proven: false, origin: ORIGIN_OPERATOR_ATTESTED }));
    expect(lines.map((line) => line.includes(" sender=unproven"))).toEqual([true, false]);
  });

  test("a stall tells how many beats of its pid were refused, and why", () => {
    const { reports, lines } = new Subject();
    const refused = [
      { reason: "out_of_order", count: 12 },
      { reason: "pid", count: 1 },
    ];
    reports.stalled(stallOf({ refused }));
    expect(lines[0]).toEndWith(' refused_beats=13 refused_because="out_of_order 12, pid 1"');
  });

  test("a stall of one that hangs tells that its connection may be dead, and no other does", () => {
    const hungVerdict = { ...NOTHING_FOUND, verdict: "hung" } as const;
    const stopped = { ...NOTHING_FOUND, verdict: "stopped" } as const;
    const { reports, lines, cutOff } = new Subject();
    cutOff.add(42);
    reports.stalled(stallOf({ pid: 42, verdict: hungVerdict }));
    reports.stalled(stallOf({ pid: 42, verdict: stopped }));
    reports.stalled(stallOf({ pid: 43, verdict: hungVerdict }));
    expect(lines.map((line) => line.includes("may hold a dead connection"))).toEqual([
      true,
      false,
      false,
    ]);
  });

  test("a late member is told at info, with its late and its threshold", () => {
    const { reports, lines } = new Subject();
    const times = { observerNs: 8.0005e9, lastNs: 5e9, lateNs: 3e9, thresholdNs: 5e9 };
    const member = { agent: 9, pid: 42, key: 42, source: "", listener: 1, generation: 7 };
    reports.late({ ...member, ...times });
    expect(lines).toEqual([
      'level=info msg="agent late" agent=worker@3 pid=42 listener=aux silence_ms=3000 late_ms=3000 threshold_ms=5000',
    ]);
  });

  test("a missing agent is an error, and its completeness is not", () => {
    const { reports, lines } = new Subject();
    const event = { observerNs: 40e9, agent: 9, expected: 8 };
    reports.missing({ ...event, members: 7, graceNs: 30e9 });
    reports.complete({ ...event, members: 8, missingNs: 2.5e9 });
    expect(lines).toEqual([
      'level=error msg="agent missing" agent=worker@3 members=7 expected=8 grace_ms=30000',
      'level=info msg="agent complete" agent=worker@3 members=8 expected=8 missing_ms=2500',
    ]);
  });

  test("a refusal for it is a warning with what proves it", () => {
    const { reports, lines } = new Subject();
    const label = "refused_unproven_sender";
    reports.outcome({ ...REFUSED, label, reason: "unproven_sender", pid: 42 });
    expect(lines).toEqual([
      'level=warn msg="recovery refused" agent=worker@3 pid=42 reason=unproven_sender hint="this process may ' +
        'have taken over the pid of the one that beat; a second beat of its own proves it"',
    ]);
  });

  test.each([
    ["skipped_agent_resumed", "info", "recovery skipped"],
    ["skipped_pid_recycled", "warn", "recovery refused"],
    ["process_unreadable", "warn", "recovery refused"],
    ["pid_gone", "warn", "recovery refused"],
  ] as const)("a recovery that does not run for %s is told at level %s", (reason, level, words) => {
    const { reports, lines } = new Subject();
    reports.outcome({ ...REFUSED, label: REASONS[reason].label, reason, pid: 42 });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toStartWith(`level=${level} msg="${words}" agent=worker@3 pid=42`);
    expect(lines[0]!.includes(" hint=")).toBe(level === "warn");
  });

  test("a return tells who is back, by which listener, and how it is", () => {
    const { reports, lines } = new Subject();
    reports.resumed(returned({ pid: 42, status: 2 }));
    expect(lines).toEqual([
      'level=info msg="agent is back" agent=worker@3 pid=42 listener=main status=critical',
    ]);
  });

  test("a return says how long the silence was, if its stall was reported", () => {
    const { reports, lines } = new Subject();
    reports.stalled(stallOf({ pid: 42, key: 42, lastNs: 1e9, observerNs: 6e9 }));
    reports.stalled(stallOf({ pid: 43, key: 43, lastNs: 1e9, observerNs: 6e9 }));
    reports.left(43);
    for (const pid of [42, 42, 43]) reports.resumed(returned({ pid, observerNs: 13.25e9 }));
    expect(lines.slice(2).map((line) => / silent_ms=(\d+)/.exec(line)?.[1])).toEqual([
      "12250",
      undefined,
      undefined,
    ]);
  });

  test("a stall says first what its process was doing, and where it runs", () => {
    const { reports, lines } = new Subject();
    const verdict = { ...NOTHING_FOUND, verdict: "stopped", unit: "worker@3.service" } as const;
    reports.stalled(stallOf({ pid: 42, verdict: { ...verdict, procState: "T" } }));
    expect(lines[0]).toContain(
      " agent=worker@3 pid=42 verdict=stopped unit=worker@3.service listener=aux silence_ms=",
    );
    expect(lines[0]).toEndWith(" proc_state=T");
  });

  test.each([
    [3 * 256, "how=exit exit_status=3"],
    [9, "how=signal signal=SIGKILL"],
    [128 + 11, "how=signal signal=SIGSEGV core=true"],
    [40, "how=signal signal=SIG40"],
    [Number.NaN, "how=unknown"],
  ])("an end with the status %p is %p", (waitStatus, words) => {
    const { reports, lines } = new Subject();
    const member = { observerNs: 6e9, endedNs: 6e9, agent: 9, pid: 42, generation: 5 };
    const how = { how: "unclean", isBySystemd: false, ...endNumbers(waitStatus) } as const;
    const exit = { ...member, listener: 0, ...how };
    reports.exited({ ...exit, recoveryId: Number.NaN });
    reports.exited({ ...exit, recoveryId: 51 });
    const line = `level=warn msg="member ended" agent=worker@3 pid=42 listener=main ${words}`;
    expect(lines).toEqual([line, `${line} recovery_id=51`]);
  });

  test("an end that no daemon watched has the times between which it was", () => {
    const { reports, lines } = new Subject();
    const member = { observerNs: 6e9, endedNs: Number.NaN, agent: 9, pid: 42, generation: 5 };
    const unwatched = { afterNs: -4e9, beforeNs: 1e9 };
    const how = { how: "unknown", isBySystemd: false, ...endNumbers(Number.NaN) } as const;
    reports.exited({ ...member, listener: 0, ...how, recoveryId: Number.NaN, unwatched });
    expect(lines).toEqual([
      'level=warn msg="member ended" agent=worker@3 pid=42 listener=main how=unknown ' +
        'unwatched="died while nobody watched" after=1969-12-31T23:59:06.000Z before=1969-12-31T23:59:11.000Z',
    ]);
  });

  test("a member is gone with how it ended, or replaced with who came and when", () => {
    const { reports, lines } = new Subject();
    const member = { observerNs: 6e9, endedNs: 6e9, agent: 9, pid: 42, generation: 5 };
    const none = { byPid: Number.NaN, gapNs: Number.NaN };
    reports.gone({ ...member, ...none, reason: "clean", ...endNumbers(0) });
    reports.gone({ ...member, ...none, reason: "ignored", ...endNumbers(256) });
    reports.gone({ ...member, reason: "replaced", byPid: 77, gapNs: 6.303e9, ...endNumbers(11) });
    expect(lines).toEqual([
      'level=info msg="member gone" agent=worker@3 pid=42 how=exit exit_status=0',
      'level=info msg="member gone" agent=worker@3 pid=42 how=exit exit_status=1 reason=ignored',
      'level=info msg="member replaced" agent=worker@3 pid=42 by_pid=77 gap_ms=6303 ' +
        "how=signal signal=SIGSEGV",
    ]);
  });

  test("what is about an agent without a name has its pid", () => {
    const { reports, lines } = new Subject();
    reports.resumed(returned({ pid: 7, status: 2, agent: 3 }));
    expect(lines).toEqual(['level=info msg="agent is back" pid=7 listener=main status=critical']);
  });

  test("two senders of one pid are logged once a minute, with the beats meanwhile", () => {
    const subject = new Subject();
    const shared = { pid: 7, source: "10.0.0.3", holder: "10.0.0.2", beats: 2 };
    for (let second = 0; second < 61; second++) {
      subject.reports.sharedPid(shared);
      subject.nowNs += 1e9;
    }
    expect(subject.lines.map((line) => line.replace(/ effect=.*/, ""))).toEqual([
      'level=warn msg="pid claimed twice" pid=7 ' + "agent=10.0.0.3/7 holder=10.0.0.2 beats=2",
      'level=warn msg="pid claimed twice" pid=7 ' + "agent=10.0.0.3/7 holder=10.0.0.2 beats=120",
    ]);
  });

  test("a mass stall is told in 200 lines, and a second later how many were held back", () => {
    const subject = new Subject();
    const { reports } = subject;
    for (let pid = 2; pid < 2 + LINES_PER_S_MAX + 50; pid++) reports.stalled(stallOf({ pid }));
    for (let pid = 2; pid < 10; pid++) reports.resumed(returned({ pid }));
    expect(subject.take()).toHaveLength(LINES_PER_S_MAX);
    expect(reports.nextDeadlineNs()).toBe(subject.nowNs + NS_PER_S);
    // Nothing stalls any more: the rest is logged at the deadline alone.
    reports.maintain(subject.nowNs + NS_PER_S - 1);
    expect(subject.take()).toEqual([]);
    subject.nowNs += NS_PER_S;
    reports.maintain(subject.nowNs);
    expect(subject.take()).toEqual([
      'level=warn msg="lines left out" about="agents stalled or back" count=58 limit_per_s=200',
    ]);
    expect(reports.nextDeadlineNs()).toBe(Number.POSITIVE_INFINITY);
    reports.maintain(subject.nowNs + NS_PER_S);
    expect(subject.take()).toEqual([]);
  });

  test("a new second begins with what the last one held back, and has its own 200 lines", () => {
    const subject = new Subject();
    for (let i = 0; i < LINES_PER_S_MAX + 3; i++) subject.reports.resumed(returned({ pid: 42 }));
    subject.take();
    subject.nowNs += NS_PER_S;
    for (let i = 0; i < LINES_PER_S_MAX + 1; i++) subject.reports.resumed(returned({ pid: 43 }));
    const lines = subject.take();
    expect(lines[0]).toContain(" count=3 ");
    expect(lines).toHaveLength(1 + LINES_PER_S_MAX);
  });
});

describe("namespaceConflict()", () => {
  test("goes to strict mode and is no line of its own", () => {
    const { reports, conflicts, lines } = new Subject();
    reports.namespaceConflict(42, 77);
    expect(conflicts).toEqual(["42 in 77"]);
    expect(lines).toEqual([]);
  });
});

describe("slowTurn()", () => {
  test("names the stage and its time, once per second", () => {
    const subject = new Subject();
    subject.reports.slowTurn("receive", 2_500 * NS_PER_MS);
    subject.reports.slowTurn("reap", 1_500 * NS_PER_MS);
    expect(subject.take()).toEqual(['level=warn msg="loop stage slow" stage=receive took_ms=2500']);
    subject.nowNs += NS_PER_S;
    subject.reports.slowTurn("reap", 1_500 * NS_PER_MS);
    expect(subject.take()).toHaveLength(1);
  });
});

describe("what is said of a muted agent", () => {
  const MUTED = { ...stallOf({ pid: 42 }), isMuted: true };

  test("is for debugging, its return too, until it is told of", () => {
    const subject = new Subject();
    subject.reports.stalled(MUTED);
    subject.reports.resumed(returned({ pid: 42 }));
    expect(subject.take()).toEqual([]);
    subject.reports.stalled(MUTED);
    subject.reports.stalled({ ...MUTED, isMuted: false });
    subject.reports.resumed(returned({ pid: 42 }));
    const lines = subject.take();
    expect(lines.map((line) => /level=\w+ msg="[^"]+"/.exec(line)?.[0])).toEqual([
      'level=warn msg="agent stalled"',
      'level=info msg="agent is back"',
    ]);
  });

  test("takes no place from the lines about others", () => {
    const subject = new Subject();
    for (let pid = 1; pid <= LINES_PER_S_MAX + 1; pid++)
      subject.reports.stalled({ ...stallOf({ pid }), isMuted: true });
    subject.reports.stalled(stallOf({ pid: 7_000 }));
    expect(subject.take()).toHaveLength(1);
  });
});
