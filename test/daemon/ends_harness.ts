// Follows ends in an observer with processes that end as the test says, and a systemd that answers
// when the test says so.
import type { EndPolicy } from "../../src/agents/ends.ts";
import { MemberEnds } from "../../src/daemon/member_ends.ts";
import { UnitEnds } from "../../src/daemon/unit_ends.ts";
import type { Unwatched } from "../../src/events/member_end.ts";
import type { RecoveryOutcome } from "../../src/events/outcome.ts";
import type { Stall } from "../../src/events/stall.ts";
import {
  type ProcessEnd,
  WATCH_BEGUN,
  WATCH_GONE,
  WATCH_REFUSED,
} from "../../src/processes/end_watch.ts";
import { Identification } from "../../src/observer/identification.ts";
import { goodbyeNsMax, sayGoodbye } from "../../src/tracker/goodbyes.ts";
import { ScriptedIdentities } from "../support/scripted_identities.ts";
import { ObserverHarness, type ObserverHarnessOptions } from "../observer/harness.ts";
import { outcomeOf } from "../support/outcome_of.ts";
import { beatOf, helloOf } from "../support/scripted_listener.ts";

export const MS = 1e6;
const GENERATION_MS = 10;
export const FORGET_AFTER_MS = 60_000;
const NOW = { startedMsAgo: 0 };

type Sink = (end: ProcessEnd) => void;

/** Descriptors of processes that end when the test says so. */
class ScriptedWatch {
  readonly fd = -1;
  refused = 0;
  /** How many may be watched. */
  room = Number.POSITIVE_INFINITY;
  /** Those that are gone when they are to be watched. */
  readonly gone = new Set<number>();
  readonly watched = new Map<number, number>();
  readonly #ends: Omit<ProcessEnd, "seenNs">[] = [];

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

  watchLeftOut(): void {}

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

  look(seenNs: number, sink: Sink): void {
    for (const end of this.#ends.splice(0)) sink({ ...end, seenNs });
  }
}

export class EndsHarness extends ObserverHarness {
  readonly watch = new ScriptedWatch();
  readonly diary: string[] = [];
  /** What the last `begin` reported. */
  told: readonly string[] = [];
  readonly recovering = new Set<number>();
  readonly ends: MemberEnds;
  readonly identification: Identification;
  readonly identities = new ScriptedIdentities();
  readonly units = new Map<number, string>();
  /** Units that systemd is asked about; it answers when the test says so. */
  readonly asked: string[] = [];
  readonly unitEnds = new UnitEnds({
    questions: {
      ask: (unit) => this.asked.push(unit) <= this.askedMax,
      look: () => {},
      nextDeadlineNs: () => Number.POSITIVE_INFINITY,
    },
    nowGeneration: () => Math.floor(this.clock.ns / (GENERATION_MS * MS)),
    monotonicNs: () => this.clock.ns,
  });
  askedMax = Number.POSITIVE_INFINITY;
  /** What was said to exit(2) in the ends that were reported. */
  readonly statuses: number[] = [];
  /** When these were, of those that no daemon watched. */
  readonly unwatched: (Unwatched | undefined)[] = [];
  /** In which recoveries the members of these ends were. */
  readonly recoveryIds: number[] = [];
  onExit: EndPolicy["onExit"] = "judge";
  /** What recovery was asked of newcomers, and its answer. */
  readonly offered: { pid: number; uid: number; unit: string }[] = [];
  takesPlace = false;
  /** How long everything takes between two readings of the clock. */
  readingNs = 0;
  #readNs = 0;

  constructor(options: Pick<ObserverHarnessOptions, "judgeLimit"> = {}) {
    super({
      ...options,
      verdictOf: (pid, generation, origin) => this.ends.verdictOf(pid, generation, origin),
    });
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
      unitEnds: this.unitEnds,
      isRecovering: (key) => this.recovering.has(key),
      succeeds: ({ pid, uid, unit }) => {
        this.offered.push({ pid, uid, unit });
        return this.takesPlace;
      },
      forgetAfterNs: () => FORGET_AFTER_MS * MS,
      reports: {
        exited: ({ pid, how, exitStatus, recoveryId, unwatched }) => {
          this.unwatched.push(unwatched);
          this.statuses.push(exitStatus);
          this.recoveryIds.push(recoveryId);
          this.diary.push(`exit ${pid} ${how}`);
        },
        gone: ({ pid, reason, byPid }) =>
          this.diary.push(`gone ${pid} ${reason}${Number.isNaN(byPid) ? "" : ` by ${byPid}`}`),
      },
      nowGeneration: () => Math.floor(clock.ns / (GENERATION_MS * MS)),
      monotonicNs: () => (this.#readNs += this.readingNs),
    });
  }

  /** The member says goodbye now. */
  sayGoodbye(pid: number): void {
    const { tracker } = this.observer;
    sayGoodbye(tracker.table, tracker.slotOf(pid), this.observer.nowNs(), goodbyeNsMax(0));
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

  /** As `begin` of members that say hello, and do not beat. */
  greet(...pids: number[]): void {
    for (const pid of pids) {
      this.processes.set(pid, Math.floor(this.clock.ns / 1e7));
      this.identities.table.set(pid, { comm: `program${Math.floor(pid / 1_000)}` });
    }
    this.listener.queue(pids.map((pid) => helloOf(pid)));
    this.told = [...this.turn(), ...this.turn()];
  }

  /** A beat that the next turn will take. */
  beat(pid: number, { startedMsAgo }: { readonly startedMsAgo: number }): void {
    this.processes.set(pid, Math.floor((this.clock.ns - startedMsAgo * MS) / 1e7));
    this.identities.table.set(pid, { comm: "program" });
    this.listener.queue([beatOf(pid)]);
  }

  end(pid: number, waitStatus: number): void {
    this.processes.table.delete(pid);
    this.identities.table.delete(pid);
    this.watch.end(pid, waitStatus);
  }

  /** As at the start of a daemon: its process has ended, and this one never watched it. */
  restored(pid: number): string[] {
    this.processes.table.delete(pid);
    this.identities.table.delete(pid);
    this.watch.forget(pid);
    this.ends.restored(this.observer.tracker.slotOf(pid), this.observer.nowNs());
    return this.diary.splice(0);
  }

  /** One turn: what was reported in it, stalls with their verdicts. */
  turn(allHeard = true): string[] {
    const { observer, ends } = this;
    this.identification.beginTurn();
    ends.look(observer.nowNs());
    this.pump();
    if (ends.hasWork) ends.settle(observer.clock.lastNs, allHeard);
    for (let stall = observer.takeStall(); stall !== undefined; stall = observer.takeStall())
      this.diary.push(`stall ${stall.pid} ${stall.verdict?.verdict}${inUnit(stall)}`);
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

function inUnit({ verdict }: Pick<Stall, "verdict">): string {
  return verdict === undefined || verdict.unit === "" ? "" : ` in ${verdict.unit}`;
}

const HUNG = {
  verdict: "hung",
  unit: "",
  procState: "S",
  wchan: "",
  cpuTicks: 0,
  tracerPid: 0,
  waitStatus: Number.NaN,
  freezerVersion: 0,
  reason: "",
} as const;

export function began(pid: number): RecoveryOutcome {
  return { ...outcomeOf("began"), pid };
}

export function signalled(pid: number): RecoveryOutcome {
  return { ...outcomeOf("step"), step: "signal", detail: "SIGTERM", pid };
}
