// What the daemon does about the ends of members (spec 14 sections 1 and 4), with processes that
// end as the test says: when each is decided, what is reported, and who leaves the table.
import { describe, expect, test } from "bun:test";
import type { EndPolicy } from "../../src/agents/ends.ts";
import { MemberEnds } from "../../src/daemon/member_ends.ts";
import type { RecoveryOutcome } from "../../src/events/outcome.ts";
import { WATCH_BEGUN, WATCH_GONE, WATCH_REFUSED } from "../../src/processes/end_watch.ts";
import { Identification } from "../../src/observer/identification.ts";
import { ScriptedIdentities } from "../support/scripted_identities.ts";
import { ObserverHarness, THRESHOLD_NS } from "../observer/harness.ts";
import { outcomeOf } from "../support/outcome_of.ts";
import { beatOf } from "../support/scripted_listener.ts";

const MS = 1e6;
const THRESHOLD_MS = THRESHOLD_NS / MS;
const GENERATION_MS = 10;
const FORGET_AFTER_MS = 60_000;
const EXIT_3 = 768;
const NOW = { startedMsAgo: 0 };

type Sink = Parameters<MemberEnds["look"]>[0] extends number
  ? (end: { pid: number; generation: number; waitStatus: number }) => void
  : never;

/** Descriptors of processes that end when the test says so. */
class ScriptedWatch {
  readonly fd = -1;
  refused = 0;
  /** How many may be watched. */
  room = Number.POSITIVE_INFINITY;
  /** Those that are gone when they are to be watched. */
  readonly gone = new Set<number>();
  readonly watched = new Map<number, number>();
  readonly #ends: { pid: number; generation: number; waitStatus: number }[] = [];

  get count(): number {
    return this.watched.size;
  }

  watch(pid: number, generation: number): number {
    if (this.gone.has(pid)) return WATCH_GONE;
    if (this.count >= this.room) {
      this.refused += 1;
      return WATCH_REFUSED;
    }
    this.watched.set(pid, generation);
    return WATCH_BEGUN;
  }

  isWatching(pid: number, generation: number): boolean {
    return this.watched.get(pid) === generation;
  }

  forget(pid: number): void {
    this.watched.delete(pid);
  }

  take(pid: number): number {
    this.watched.delete(pid);
    return Number.NaN;
  }

  nextDeadlineNs(): number {
    return Number.POSITIVE_INFINITY;
  }

  end(pid: number, waitStatus: number): void {
    const generation = this.watched.get(pid)!;
    this.watched.delete(pid);
    this.#ends.push({ pid, generation, waitStatus });
  }

  look(_nowNs: number, sink: Sink): boolean {
    for (const end of this.#ends.splice(0)) sink(end);
    return false;
  }
}

class EndsHarness extends ObserverHarness {
  readonly watch = new ScriptedWatch();
  readonly diary: string[] = [];
  /** What the last `begin` reported. */
  told: readonly string[] = [];
  readonly recovering = new Set<number>();
  readonly ends: MemberEnds;
  readonly identification: Identification;
  readonly identities = new ScriptedIdentities();
  readonly units = new Map<number, string>();
  onExit: EndPolicy["onExit"] = "judge";

  constructor() {
    super({ verdictOf: (pid, generation, origin) => this.ends.verdictOf(pid, generation, origin) });
    const { observer, processes, clock } = this;
    this.identification = new Identification({
      tracker: observer.tracker,
      reader: this.identities,
      listenerNames: [],
      monotonicNs: () => 0,
    });
    this.ends = new MemberEnds({
      observer,
      watch: this.watch,
      processes: {
        hasEnded: (pid, generation) => processes.hasEnded(pid, generation),
        startTime: (pid) => processes.startTime(pid),
        zombieStatus: () => Number.NaN,
      },
      verdicts: { of: () => ({ ...HUNG }) },
      isGone: (pid) => !processes.table.has(pid),
      policyOf: () => ({ onExit: this.onExit, cleanExit: [143] }),
      unitOf: (pid) => this.units.get(pid) ?? "",
      isAnnounced: () => false,
      isRecovering: (key) => this.recovering.has(key),
      forgetAfterNs: FORGET_AFTER_MS * MS,
      reports: {
        exited: ({ pid, how }) => this.diary.push(`exit ${pid} ${how}`),
        gone: ({ pid, reason, byPid }) =>
          this.diary.push(`gone ${pid} ${reason}${Number.isNaN(byPid) ? "" : ` by ${byPid}`}`),
      },
      nowGeneration: () => Math.floor(clock.ns / (GENERATION_MS * MS)),
      monotonicNs: () => 0,
    });
  }

  /** A member starts now and beats; those whose pids have the same thousands are one agent. */
  begin(...members: (number | { readonly startedMsAgo: number })[]): void {
    const pids = members.filter((member) => typeof member === "number");
    const { startedMsAgo } = members.find((member) => typeof member === "object") ?? NOW;
    for (const pid of pids) {
      this.processes.set(pid, Math.floor((this.clock.ns - startedMsAgo * MS) / 1e7));
      this.identities.table.set(pid, { comm: `program${Math.floor(pid / 1_000)}` });
    }
    this.listener.queue(pids.map((pid) => beatOf(pid)));
    this.told = [...this.turn(), ...this.turn()];
  }

  end(pid: number, waitStatus: number): void {
    this.processes.table.delete(pid);
    this.identities.table.delete(pid);
    this.watch.end(pid, waitStatus);
  }

  /** One turn: what was reported in it, stalls with their verdicts. */
  turn(allHeard = true): string[] {
    const { observer, ends } = this;
    this.identification.beginTurn();
    ends.look(observer.clock.lastNs);
    this.pump();
    if (ends.hasWork) ends.settle(observer.clock.lastNs, allHeard);
    for (let stall = observer.takeStall(); stall !== undefined; stall = observer.takeStall())
      this.diary.push(`stall ${stall.pid} ${stall.verdict?.verdict}`);
    this.identification.advance(observer.clock.lastNs);
    return this.diary.splice(0);
  }

  sweep(): string[] {
    this.pass(1_000);
    this.pump();
    this.ends.maintain(this.observer.clock.lastNs);
    return this.diary.splice(0);
  }

  get tracked(): number {
    return this.observer.tracker.len;
  }
}

const HUNG = {
  verdict: "hung",
  procState: "S",
  wchan: "",
  cpuTicks: 0,
  tracerPid: 0,
  waitStatus: Number.NaN,
  freezerVersion: 0,
  reason: "",
} as const;

describe("MemberEnds", () => {
  test("lets a member that ended cleanly leave in the same turn", () => {
    const harness = new EndsHarness();
    harness.begin(100);
    harness.end(100, 0);
    expect(harness.turn()).toEqual(["gone 100 clean"]);
    expect(harness.tracked).toBe(0);
    harness.pass(10 * THRESHOLD_MS);
    expect(harness.turn()).toEqual([]);
  });

  test("decides no end before the sockets were found empty: its last beats come first", () => {
    const harness = new EndsHarness();
    harness.begin(100);
    harness.end(100, 0);
    expect(harness.turn(false)).toEqual([]);
    expect(harness.tracked).toBe(1);
    expect(harness.ends.hasWork).toBeTrue();
    expect(harness.turn()).toEqual(["gone 100 clean"]);
  });

  test("reports an unclean end at once, judges it at its deadline, and lets it leave then", () => {
    const harness = new EndsHarness();
    harness.begin(100);
    harness.end(100, EXIT_3);
    expect(harness.turn()).toEqual(["exit 100 unclean"]);
    harness.pass(THRESHOLD_MS - 1);
    expect(harness.turn()).toEqual([]);
    harness.pass(1);
    expect(harness.turn()).toEqual(["stall 100 exited"]);
    expect(harness.tracked).toBe(1);
    expect(harness.sweep()).toEqual([]);
    expect(harness.tracked).toBe(0);
  });

  test("keeps a stalled member whose process has ended as long as it is being recovered", () => {
    const harness = new EndsHarness();
    harness.begin(100);
    harness.end(100, EXIT_3);
    harness.turn();
    harness.pass(THRESHOLD_MS);
    harness.turn();
    harness.recovering.add(100);
    harness.sweep();
    expect(harness.tracked).toBe(1);
    harness.recovering.clear();
    harness.sweep();
    expect(harness.tracked).toBe(0);
  });

  test("makes an unclean end a stall at once with on_exit = report", () => {
    const harness = new EndsHarness();
    harness.onExit = "report";
    harness.begin(100, 101);
    harness.pass(50);
    harness.end(100, EXIT_3);
    harness.end(101, Number.NaN);
    expect(harness.turn()).toEqual(["exit 100 unclean", "exit 101 unknown", "stall 100 exited"]);
    harness.pass(THRESHOLD_MS);
    expect(harness.turn()).toEqual(["stall 101 exited"]);
  });

  test("calls every end gone with on_exit = ignore, that of a stalled member, too", () => {
    const harness = new EndsHarness();
    harness.onExit = "ignore";
    harness.begin(100, 101);
    harness.end(100, EXIT_3);
    expect(harness.turn()).toEqual(["gone 100 ignored"]);
    harness.pass(THRESHOLD_MS);
    expect(harness.turn()).toEqual(["stall 101 hung"]);
    harness.end(101, 9);
    expect(harness.turn()).toEqual(["gone 101 ignored"]);
    expect(harness.tracked).toBe(0);
  });

  test("does nothing with on_exit = silence: no descriptor, and silence is silence", () => {
    const harness = new EndsHarness();
    harness.onExit = "silence";
    harness.begin(100);
    expect(harness.watch.count).toBe(0);
    harness.processes.table.delete(100);
    harness.pass(THRESHOLD_MS);
    expect(harness.turn()).toEqual(["stall 100 hung"]);
    harness.sweep();
    expect(harness.tracked).toBe(1);
  });

  test("never calls the end of a member clean that is stalled, or that a recovery signalled", () => {
    const harness = new EndsHarness();
    harness.begin(100, 101);
    harness.ends.onOutcome(signalled(101));
    harness.pass(50);
    harness.end(101, 15);
    expect(harness.turn()).toEqual(["exit 101 unclean"]);
    harness.pass(THRESHOLD_MS);
    expect(harness.turn().toSorted()).toEqual(["stall 100 hung", "stall 101 exited"]);
    harness.end(100, 0);
    expect(harness.turn()).toEqual(["exit 100 unclean"]);
    harness.sweep();
    expect(harness.tracked).toBe(0);
  });

  test("excuses one end by a newcomer of the same group, of two that ended one is reported", () => {
    const harness = new EndsHarness();
    harness.begin(100, 101, 102);
    harness.pass(10);
    harness.end(100, 9);
    harness.end(101, 9);
    expect(harness.turn()).toEqual(["exit 100 unclean", "exit 101 unclean"]);
    harness.pass(20);
    harness.listener.queue([beatOf(102, { nonce: 2 })]);
    harness.begin(2_000);
    expect(harness.told).toEqual([]);
    harness.begin(103);
    expect(harness.told).toEqual(["gone 100 replaced by 103"]);
    expect(harness.tracked).toBe(4);
    harness.pass(THRESHOLD_MS - 25);
    harness.listener.queue([102, 103, 2_000].map((pid) => beatOf(pid, { nonce: 3 })));
    expect(harness.turn()).toEqual(["stall 101 exited"]);
  });

  test("finds the end of a member without a descriptor when it falls silent", () => {
    const harness = new EndsHarness();
    harness.watch.room = 0;
    harness.begin(100);
    harness.processes.table.delete(100);
    harness.pass(THRESHOLD_MS);
    expect(harness.turn()).toEqual(["exit 100 unknown", "stall 100 exited"]);
    harness.sweep();
    expect(harness.tracked).toBe(0);
  });

  test("reports and judges one that was gone before it could be watched, if it was no brief life", () => {
    const harness = new EndsHarness();
    harness.watch.gone.add(100);
    harness.pass(1_000);
    harness.begin(100, { startedMsAgo: 1_000 });
    expect(harness.told).toEqual(["exit 100 unknown"]);
    harness.pass(THRESHOLD_MS);
    expect(harness.turn()).toEqual(["stall 100 exited"]);
    harness.sweep();
    expect(harness.tracked).toBe(0);
  });

  test("calls a brief life that was over before it could be watched gone, whatever the rule says", () => {
    for (const onExit of ["judge", "report"] as const) {
      const harness = new EndsHarness();
      harness.onExit = onExit;
      harness.watch.gone.add(100);
      harness.pass(1_000);
      harness.begin(100, { startedMsAgo: 990 });
      expect(harness.told).toEqual(["gone 100 brief"]);
      expect(harness.tracked).toBe(0);
      harness.pass(THRESHOLD_MS);
      expect(harness.turn()).toEqual([]);
    }
  });

  test("excuses none by a newcomer of another unit", () => {
    const harness = new EndsHarness();
    harness.units.set(100, "a.service").set(101, "b.service").set(102, "a.service");
    harness.begin(100);
    harness.pass(30);
    harness.end(100, 9);
    expect(harness.turn()).toEqual(["exit 100 unclean"]);
    harness.pass(30);
    harness.begin(101);
    expect(harness.told).toEqual([]);
    harness.begin(102);
    expect(harness.told).toEqual(["gone 100 replaced by 102"]);
  });

  test("says nothing of a sender of which not even the start time could be read", () => {
    const harness = new EndsHarness();
    harness.listener.queue([beatOf(101)]);
    expect(harness.turn()).toEqual([]);
    expect(harness.tracked).toBe(1);
    harness.pass(THRESHOLD_MS);
    expect(harness.turn()).toEqual([]);
    expect(harness.tracked).toBe(0);
  });

  test("gives up the descriptor of a member that the tracker removed", () => {
    const harness = new EndsHarness();
    harness.begin(100);
    harness.ends.removed(100);
    expect(harness.watch.count).toBe(1);
    harness.observer.tracker.ends.leave(harness.observer.tracker.slotOf(100));
    harness.ends.removed(100);
    expect(harness.watch.count).toBe(0);
  });
});

function signalled(pid: number): RecoveryOutcome {
  return { ...outcomeOf("step"), step: "signal", detail: "SIGTERM", pid };
}
