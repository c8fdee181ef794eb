// Processes that end, beside the long simulation, whose daemon judges silence alone as with the
// Rust observer's options: here ends are followed. The real observer, identification and followers
// of ends run over simulated processes that end cleanly or not, stay zombies for a while, are gone
// before they can be watched, are started again by a supervisor, or hang.
import { AGENT_NEW } from "../../src/agents/agent_table.ts";
import { ExpectedAgents } from "../../src/agents/expected_agents.ts";
import type { Mutes, MuteTarget } from "../../src/agents/mutes.ts";
import { MemberEnds } from "../../src/daemon/member_ends.ts";
import { UnitEnds } from "../../src/daemon/unit_ends.ts";
import { ENDS } from "../../src/daemon/end_counters.ts";
import type { Stall } from "../../src/events/stall.ts";
import { NOTHING_FOUND } from "../../src/events/stall_verdict.ts";
import { Identification } from "../../src/observer/identification.ts";
import { type ProcessEnd, WATCH_BEGUN, WATCH_GONE } from "../../src/processes/end_watch.ts";
import type { View } from "../../src/view/view.ts";
import { ObserverHarness } from "../observer/harness.ts";
import { ScriptedIdentities } from "../support/scripted_identities.ts";
import { beatOf } from "../support/scripted_listener.ts";
import { mutesOf, viewOf } from "../support/views.ts";
import { DeathPromises, type Life } from "./death_promises.ts";
import { same } from "./failure.ts";
import { Random } from "./random.ts";
import { SimulatedSystemd } from "./simulated_systemd.ts";

const MS = 1e6;
const TICK_NS = 10 * MS;
/** How long the status of one that is not reaped is waited for. */
const STATUS_NS_MAX = 1_000 * MS;
/** What systemd and the daemon may see an end apart, and a turn. */
const JUST_BEFORE_NS = 150 * MS;
const PROGRAMS = 3;
const PIDS = 400;
/** What the rule of the first program says; the others have none. */
const RULED = 0;
const RULE_NAME = "ruled";
const EXPECTED_MEMBERS = 12;
const EXPECT_GRACE_NS = 1_000 * MS;
/** exit(0), exit(143), SIGTERM; and exit(1), exit(3), SIGKILL, SIGSEGV with a core. */
const CLEAN = [0, 143 << 8, 15];
const UNCLEAN = [1 << 8, 3 << 8, 9, 11 + 128];

/** Descriptors of simulated processes. */
class SimulatedWatch {
  readonly fd = -1;
  readonly refused = 0;
  readonly watched = new Map<number, Life>();
  readonly #living: ReadonlyMap<number, Life>;
  readonly #nowNs: () => number;

  constructor(living: ReadonlyMap<number, Life>, nowNs: () => number) {
    this.#living = living;
    this.#nowNs = nowNs;
  }

  get count(): number {
    return this.watched.size;
  }

  watch(pid: number, generation: number): number {
    const life = this.#living.get(pid);
    if (life?.generation !== generation || this.#isReaped(life)) return WATCH_GONE;
    this.watched.set(pid, life);
    return WATCH_BEGUN;
  }

  isWatching(pid: number, generation: number): boolean {
    return this.watched.get(pid)?.generation === generation;
  }

  watchLeftOut(): void {}

  forget(pid: number, generation: number): void {
    if (this.isWatching(pid, generation)) this.watched.delete(pid);
  }

  take(pid: number, generation: number): number {
    const life = this.watched.get(pid);
    this.forget(pid, generation);
    return life?.generation === generation && this.#isReaped(life) ? life.waitStatus : Number.NaN;
  }

  nextDeadlineNs(): number {
    return Number.POSITIVE_INFINITY;
  }

  look(nowNs: number, sink: (end: ProcessEnd) => void): boolean {
    for (const [pid, life] of this.watched) {
      const { generation, endedNs } = life;
      const isGivenUp = endedNs + STATUS_NS_MAX <= nowNs;
      if (endedNs <= nowNs && Number.isNaN(life.seenNs)) life.seenNs = nowNs;
      if (!this.#isReaped(life) && !isGivenUp) continue;
      this.watched.delete(pid);
      const waitStatus = this.#isReaped(life) ? life.waitStatus : Number.NaN;
      life.isStatusKnown = !Number.isNaN(waitStatus);
      sink({ pid, generation, waitStatus, seenNs: life.seenNs });
    }
    return false;
  }

  #isReaped({ reapedNs }: Life): boolean {
    return reapedNs <= this.#nowNs();
  }
}

export class MortalWorld extends ObserverHarness {
  readonly promises: DeathPromises;
  readonly seen = { mutes: 0, reads: 0, mutedMembers: 0 };
  readonly watch: SimulatedWatch;
  readonly ends: MemberEnds;
  readonly unitEnds: UnitEnds;
  readonly expected: ExpectedAgents;
  readonly #random: Random;
  readonly #systemd: SimulatedSystemd;
  readonly #ended: Life[] = [];
  /** Processes that /proc shows, zombies too, by pid. */
  readonly #living = new Map<number, Life>();
  readonly #identities = new ScriptedIdentities();
  readonly #identification: Identification;
  // Its own luck: whoever looks and mutes does not change who ends.
  readonly #lookerLuck = new Random(16);
  readonly #mutes: Mutes;
  readonly #view: View;
  /** Of a pid, whom it is about and until when. */
  readonly #muted = new Map<number, { generation: number; untilNs: number }>();
  #nonce = 1;
  #pid = 0;

  constructor(random: Random, thresholdNs: number) {
    super({
      thresholdNs,
      trackerCapacity: PIDS,
      verdictOf: (pid, generation, origin) => this.ends.verdictOf(pid, generation, origin),
    });
    const { clock, observer, processes } = this;
    const nowNs = () => clock.ns;
    const nowGeneration = () => Math.floor(clock.ns / TICK_NS);
    this.#random = random;
    const terms = { thresholdNs, lateNs: thresholdNs / 3, graceNs: 2 * thresholdNs };
    const ruled = { ...terms, thresholdMinNs: thresholdNs, thresholdMaxNs: thresholdNs };
    this.promises = new DeathPromises(thresholdNs, `${RULED}.service`, {
      ...terms,
      expected: EXPECTED_MEMBERS,
      expectGraceNs: EXPECT_GRACE_NS,
    });
    const { agents } = observer.tracker.table;
    agents.reserve([{ name: RULE_NAME, bindsOwner: true }]);
    this.expected = new ExpectedAgents({
      agents,
      expected: [{ name: RULE_NAME, expected: EXPECTED_MEMBERS, graceNs: EXPECT_GRACE_NS }],
      reports: this.promises,
      pausedNs: () => 0,
      graceNsMin: 0,
    });
    this.#mutes = mutesOf(observer);
    this.#view = viewOf(observer, { expected: this.expected, mutes: this.#mutes });
    this.watch = new SimulatedWatch(this.#living, nowNs);
    this.#identification = new Identification({
      tracker: observer.tracker,
      reader: this.#identities,
      listenerNames: [],
      findRule: ({ identity }) =>
        identity?.comm === `program${RULED}`
          ? { ...ruled, name: RULE_NAME, bindsOwner: true, index: 0 }
          : undefined,
      monotonicNs: () => 0,
    });
    this.#systemd = new SimulatedSystemd(random, nowNs);
    this.unitEnds = new UnitEnds({ questions: this.#systemd, nowGeneration, monotonicNs: nowNs });
    this.#systemd.answered = (unit, state) => this.unitEnds.answered(unit, state);
    this.ends = new MemberEnds({
      observer,
      watch: this.watch,
      processes: {
        hasEnded: (pid, generation) => {
          const life = this.#living.get(pid);
          return life?.generation !== generation || life.endedNs <= clock.ns;
        },
        startTime: (pid) => processes.startTime(pid),
        zombieStatus: () => Number.NaN,
      },
      verdicts: { of: () => ({ ...NOTHING_FOUND, verdict: "hung" }) },
      isGone: (pid) => !this.#living.has(pid),
      policyOf: () => ({ onExit: "judge", cleanExit: [143] }),
      unitOf: (pid) => this.#living.get(pid)?.unit ?? "",
      unitEnds: this.unitEnds,
      isRecovering: () => false,
      succeeds: () => false,
      forgetAfterNs: () => Number.POSITIVE_INFINITY,
      reports: this.promises,
      nowGeneration,
      monotonicNs: () => 0,
    });
  }

  /** Some time passes, things happen, beats arrive, and the daemon runs one turn. */
  step(): void {
    const random = this.#random;
    this.clock.ns += random.between(1 * MS, 30 * MS);
    this.#reap();
    if (this.#living.size < 40 && random.chance(0.5)) this.#start(random.below(PROGRAMS));
    if (random.chance(0.3)) this.#mishap();
    const beating = [...this.#living.values()].filter(
      (life) => this.#isRunning(life) && !life.hangs && life.nextBeatNs <= this.clock.ns,
    );
    this.#beat(beating);
    // It has beaten, and is reaped before the daemon reads that.
    for (const life of beating) if (random.chance(0.02)) this.#end(life, true);
    this.#turn();
    if (this.#lookerLuck.chance(0.05)) this.#mute();
    if (this.#lookerLuck.chance(0.1)) this.#readStatus();
  }

  /** Nobody is started any more, all end, and the daemon goes on until nothing can happen. */
  finish(thresholdNs: number): void {
    for (const life of this.#living.values()) if (this.#isRunning(life)) this.#end(life, true);
    for (let passedNs = 0; passedNs < 3 * thresholdNs + 4 * STATUS_NS_MAX; passedNs += 50 * MS) {
      this.clock.ns += 50 * MS;
      this.#reap();
      this.#turn();
    }
  }

  get tracked(): number {
    return this.observer.tracker.len;
  }

  /** As the page counts them. */
  counted(how: keyof typeof ENDS.ends): number {
    return this.ends.counters.get(ENDS.ends[how]);
  }

  #start(program: number, unit = `${program}.service`): void {
    const pid = this.#freePid();
    const generation = Math.floor(this.clock.ns / TICK_NS);
    const life: Life = {
      pid,
      generation,
      unit,
      startedNs: this.clock.ns,
      endedNs: Number.POSITIVE_INFINITY,
      reapedNs: Number.POSITIVE_INFINITY,
      waitStatus: Number.NaN,
      hasBeaten: false,
      firstBeatNs: Number.NaN,
      lastBeatNs: Number.NaN,
      // A program may take a while until it beats.
      nextBeatNs: this.clock.ns + (this.#random.chance(0.3) ? 1_500 * MS : 0),
      hangs: false,
      wasWatched: true,
      wasStopped: false,
      seenNs: Number.NaN,
      isStatusKnown: false,
    };
    this.#living.set(pid, life);
    this.processes.set(pid, generation);
    this.#identities.table.set(pid, { comm: `program${program}` });
    this.promises.started(life);
    this.#systemd.started(life);
  }

  // A pid is free once no process and no member has it: reuse is the long simulation's business.
  #freePid(): number {
    do this.#pid = 2 + (this.#pid % PIDS);
    while (this.#living.has(this.#pid) || this.observer.tracker.slotOf(this.#pid) >= 0);
    return this.#pid;
  }

  #mishap(): void {
    const random = this.#random;
    const running = [...this.#living.values()].filter((life) => this.#isRunning(life));
    if (running.length === 0) return;
    const life = random.pick(running);
    if (random.chance(0.1)) {
      life.hangs = true;
      return;
    }
    if (random.chance(0.05)) {
      this.#stop(life.unit);
      return;
    }
    const isRolling = random.chance(0.1);
    if (isRolling) this.#start(Number.parseInt(life.unit, 10));
    this.#end(life, random.chance(0.8));
    if (!isRolling && random.chance(0.5)) this.#start(Number.parseInt(life.unit, 10));
  }

  /** All processes of the unit end, and it may be started again at once. */
  #stop(unit: string): void {
    const random = this.#random;
    this.#systemd.stops(unit);
    // An end just before counts as one of the stop.
    for (const life of this.#ended)
      if (life.unit === unit && life.endedNs >= this.clock.ns - JUST_BEFORE_NS)
        life.wasStopped = true;
    for (const life of this.#living.values()) {
      if (life.unit !== unit || !this.#isRunning(life)) continue;
      life.wasStopped = true;
      this.#end(life, random.chance(0.8));
    }
    if (random.chance(0.5)) this.#start(Number.parseInt(unit, 10));
  }

  #end(life: Life, isReapedAtOnce: boolean): void {
    const random = this.#random;
    life.endedNs = this.clock.ns;
    life.waitStatus = random.pick(random.chance(0.5) ? CLEAN : UNCLEAN);
    life.reapedNs = life.endedNs + (isReapedAtOnce ? 0 : random.between(1 * MS, 2_000 * MS));
    // Reaped at once and not watched yet: nobody can know how it ended.
    life.wasWatched = this.watch.isWatching(life.pid, life.generation) || !isReapedAtOnce;
    this.#systemd.ended(life);
    this.#ended.push(life);
  }

  /** One that beats is muted, and may end and be followed by another in that time. */
  #mute(): void {
    const members = [...this.#living.values()].filter(
      ({ pid }) => this.observer.tracker.slotOf(pid) >= 0,
    );
    if (members.length === 0) return;
    const { pid, generation } = this.#lookerLuck.pick(members);
    const beganNs = this.observer.clock.lastNs;
    const untilNs = beganNs + this.#lookerLuck.between(1, 5_000 * MS);
    const target: MuteTarget = { kind: "member", name: "", pid, key: pid, generation };
    if (!this.#mutes.hasRoomFor(target)) return;
    const by = { uid: 0, pid: 1, comm: "varta-watch" };
    this.#mutes.begin({ target, reason: "", by, beganNs, untilNs });
    this.#muted.set(pid, { generation, untilNs });
    this.seen.mutes += 1;
  }

  /** What a reader is shown: each member once, whose mute it has, and who is missing. */
  #readStatus(): void {
    const { clock, tracker } = this.observer;
    this.#mutes.maintain(clock.lastNs);
    const walk = this.#view.walkStatus();
    while (!walk.step());
    const agents = walk.agents();
    let members = 0;
    let muted = 0;
    for (let slot = 0; slot < tracker.len; slot++) {
      const { agent, pid, generation } = tracker.slots;
      if (agent[slot] === AGENT_NEW) continue;
      const mute = this.#muted.get(pid[slot]!);
      members += 1;
      if (mute?.generation === generation[slot] && mute!.untilNs > clock.lastNs) muted += 1;
    }
    const sum = (of: (agent: (typeof agents)[number]) => number): number =>
      agents.reduce((total, agent) => total + of(agent), 0);
    same(
      "members shown",
      members,
      sum((agent) => agent.members),
    );
    same(
      "members shown as muted",
      muted,
      sum(({ mutedMembers }) => mutedMembers),
    );
    const { missing, complete } = this.promises.owed;
    const ruled = agents.find(({ agent }) => agent === RULE_NAME)!;
    same("shown as missing", missing > complete, !Number.isNaN(ruled.missingSinceNs));
    this.seen.reads += 1;
    this.seen.mutedMembers += muted;
  }

  #isRunning({ endedNs }: Life): boolean {
    return endedNs > this.clock.ns;
  }

  /** Those that have been reaped leave /proc; one that has just beaten is read of once more. */
  #reap(): void {
    for (const [pid, life] of this.#living) {
      if (life.reapedNs > this.clock.ns) continue;
      this.#living.delete(pid);
      this.processes.table.delete(pid);
      this.#identities.table.delete(pid);
    }
  }

  #beat(beating: readonly Life[]): void {
    for (const life of beating) {
      if (!life.hasBeaten) life.firstBeatNs = this.clock.ns;
      life.hasBeaten = true;
      life.lastBeatNs = this.clock.ns;
      life.nextBeatNs = this.clock.ns + this.#random.between(50 * MS, 200 * MS);
    }
    if (beating.length > 0)
      this.listener.queue(beating.map(({ pid }) => beatOf(pid, { nonce: this.#nonce++ })));
  }

  /** The stages of a turn that have to do with ends, in the order of src/daemon/tick.ts. */
  #turn(): void {
    const { observer, ends } = this;
    this.promises.nowNs = this.clock.ns;
    this.#identification.beginTurn();
    ends.look(observer.nowNs());
    this.pump();
    for (const late of observer.silence.stalls.lates.splice(0)) this.promises.onLate(late);
    if (ends.hasWork) ends.settle(observer.clock.lastNs, true);
    for (let stall = observer.takeStall(); stall !== undefined; stall = observer.takeStall())
      this.promises.onStall(stall as Stall);
    this.#identification.advance(observer.clock.lastNs);
    this.expected.look(observer.clock.lastNs);
    this.promises.endTurn();
    ends.maintain(observer.clock.lastNs);
    for (let pid = observer.drainEvictedPid(); pid >= 0; pid = observer.drainEvictedPid())
      ends.removed(pid);
  }
}
