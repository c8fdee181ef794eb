// The promises of the daemon, checked from outside: only what its sinks get and what is true of the
// simulated processes goes in, so a mistake that model and daemon share is still seen. No false
// stall, none missed, each once per silence run; nothing is started for a process that is not the
// one that fell silent; budgets are kept.
import { ORIGIN_TEXTS } from "../../src/base/origin.ts";
import type { EventBatch } from "../../src/events/event_batch.ts";
import type { MemberLate } from "../../src/events/member_late.ts";
import type { Stall } from "../../src/events/stall.ts";
import type { Guard } from "../../src/observer/guard.ts";
import type { SpawnAsked } from "./children.ts";
import type { RecoveryOutcome } from "../../src/events/outcome.ts";
import { same, SimulationFailure } from "./failure.ts";
import { isShared, namesOf, SHARED } from "./identities.ts";
import { RunPromises } from "./run_promises.ts";
import type { ScenarioRule } from "./scenario.ts";
import type { ProcessTable } from "./process_table.ts";
import { isListed, UNIT_UID } from "./units.ts";

const KERNEL = 0;
const OPERATOR = 1;

/** Nobody who can bring it about keeps it up. */
const GUARD_REST_NS_MIN = 60e9;

export interface PromiseOptions {
  readonly thresholdNs: number;
  readonly judgeLimit: number;
  readonly processes: ProcessTable;
  /** Time after `lastNs` in which the observer could hear no agent. */
  readonly deafNsSince: (lastNs: number) => number;
  /** What the processes get that are seen to run the shared program. */
  readonly rule: ScenarioRule | undefined;
  /** By how much the deadline of one with this threshold is later, whose last beat was then. */
  readonly excusedNs: (lastNs: number, thresholdNs: number) => number;
  /** The member of a pid has said goodbye, or hello and nothing more. */
  readonly owesNoBeats: (pid: number) => boolean;
  /** Undefined = the daemon has none. */
  readonly guard: Pick<Guard, "view" | "changes"> | undefined;
  readonly agentName: (number: number) => string;
  readonly listenerNames: readonly string[];
}

interface Watched {
  /** Of its process, as far as is known. */
  readonly generation: number;
  /** It came with the last beat. */
  readonly isGenerationRead: boolean;
  readonly lastBeatNs: number;
  /** Its process could be read at each of its beats: the rule has it, if it runs that program. */
  readonly wasReadable: boolean;
  /** Its first beat came no later. */
  readonly firstBeatNs: number;
  reported: boolean;
  late: boolean;
}

export class Promises {
  #reloadedNs = Number.NEGATIVE_INFINITY;
  /** When the guard was over for the last time. */
  #guardOverNs = Number.NEGATIVE_INFINITY;
  readonly #options: PromiseOptions;
  readonly #watched = new Map<number, Watched>();
  /** Children that were started and not reported as ended. */
  readonly #children = new Set<number>();
  /** Observer time at which a pid was last removed: its stall may still wait in the queue. */
  readonly #removedNs = new Map<number, number>();
  /**
   * By pid, process and origin the last stall: what a recovery may be started for. By the time that
   * it begins a member from elsewhere may have stalled under the same pid.
   */
  readonly #stalls = new Map<string, Stall>();
  /** By the number of each agent that ever stalled: one number, one name. */
  readonly #agentNames = new Map<number, string>();
  /** Of the last command: it was told that no process has the pid. */
  #isPidGone = false;
  /**
   * Whom the service manager has called the main process of each unit. A recovery asks once, before
   * it acts, and another may ask about the same unit before its restart has its turn.
   */
  readonly #mainPids = new Map<string, Set<number>>();
  readonly #runs = new RunPromises();
  #decisionsThisTurn = 0;
  #completionsThisTurn = 0;
  #spawnsThisTurn = 0;
  #removedThisTurn = 0;
  #queueWasEmpty = true;

  constructor(options: PromiseOptions) {
    this.#options = options;
  }

  beginTurn(hasPendingStalls: boolean): void {
    this.#decisionsThisTurn = 0;
    this.#completionsThisTurn = 0;
    this.#spawnsThisTurn = 0;
    this.#removedThisTurn = 0;
    this.#queueWasEmpty = !hasPendingStalls;
  }

  onBatch(batch: EventBatch, count: number): void {
    for (let i = 0; i < count; i++) {
      if (batch.kind[i] !== 0) continue;
      const pid = batch.pid[i]!;
      const lastBeatNs = batch.observerNs[i]!;
      const before = this.#watched.get(pid);
      const known = before?.generation ?? Number.NaN;
      // A start time that cannot be read now, or is learnt later, makes no other process of it.
      const read = batch.generation[i]!;
      const isLocal = batch.origin[i] === KERNEL;
      const generation = Number.isNaN(read) && isLocal ? known : read;
      const isOther = generation !== known && before?.isGenerationRead === true;
      const isFirst = before === undefined || isOther;
      const wasReadable = (isFirst || before.wasReadable) && this.#isReadable(pid, generation);
      const isGenerationRead = !Number.isNaN(read);
      const firstBeatNs = isFirst ? lastBeatNs : before.firstBeatNs;
      const seen = { generation, isGenerationRead, wasReadable, lastBeatNs, firstBeatNs };
      this.#watched.set(pid, { ...seen, reported: false, late: false });
    }
  }

  onStall(stall: Stall): void {
    const sinceNs = this.#options.guard?.view?.sinceNs ?? Number.POSITIVE_INFINITY;
    if (stall.observerNs > sinceNs)
      throw new SimulationFailure("promise: the guard holds stalls", "none", `pid ${stall.pid}`);
    const generation = Number.isNaN(stall.generation) ? "" : String(stall.generation);
    const key = stallKey(String(stall.pid), generation, ORIGIN_TEXTS[stall.origin]);
    this.#stalls.set(key, stall);
    this.#isNamed(stall);
    const thresholdNs = this.#thresholdOf(stall);
    same("promise: the threshold of a stall", thresholdNs, stall.thresholdNs);
    const silenceNs = stall.observerNs - stall.lastNs;
    const { deafNsSince } = this.#options;
    const heardNs = silenceNs - (deafNsSince(stall.lastNs) - deafNsSince(stall.observerNs));
    if (heardNs < thresholdNs)
      throw new SimulationFailure("promise: no false stall", thresholdNs, heardNs);
    const watched = this.#watched.get(stall.pid);
    if (watched === undefined) {
      // It said hello and goodbye, and has not ended since.
      if (stall.goodbyeNs! >= 0) return;
      if ((this.#removedNs.get(stall.pid) ?? -1) >= stall.observerNs) return;
      throw new SimulationFailure(
        "promise: only agents stall",
        "a beat before",
        `pid ${stall.pid}`,
      );
    }
    // A beat may have arrived while the stall waited in its queue: that beat began another run.
    if (watched.lastBeatNs >= stall.observerNs) return;
    // A hello, which is no event, made another member of it, which said goodbye and never beat.
    const hasBeaten = stall.lastNonceHi > 0 || stall.lastNonceLo > 0;
    if (stall.goodbyeNs! >= 0 && !hasBeaten && stall.lastNs > watched.lastBeatNs) return;
    same("promise: the silence starts at the last beat", watched.lastBeatNs, stall.lastNs);
    same(`promise: one stall per silence run of pid ${stall.pid}`, false, watched.reported);
    this.#isNotNew(watched, stall);
    watched.reported = true;
  }

  onLate({ pid, agent, observerNs, lastNs, lateNs, thresholdNs }: MemberLate): void {
    const { agentName, rule, deafNsSince } = this.#options;
    same("promise: who is late has a rule", true, agentName(agent).endsWith(SHARED));
    same("promise: the late of a rule", rule!.lateNs, lateNs);
    same("promise: the threshold of one that is late", rule!.thresholdNs, thresholdNs);
    const heardNs = observerNs - lastNs - (deafNsSince(lastNs) - deafNsSince(observerNs));
    if (heardNs < lateNs) throw new SimulationFailure("promise: nobody is late", lateNs, heardNs);
    const watched = this.#watched.get(pid);
    if (watched === undefined || watched.lastBeatNs >= observerNs) return;
    same(`promise: pid ${pid} is told late once per silence`, false, watched.late);
    same(`promise: pid ${pid} is told late before it stalls`, false, watched.reported);
    watched.late = true;
    this.#isNotNew(watched, { agent, observerNs });
  }

  // Pauses make a grace longer, never shorter.
  #isNotNew({ firstBeatNs }: Watched, { agent, observerNs }: Pick<Stall, "agent" | "observerNs">) {
    const { agentName, rule } = this.#options;
    const graceNs = agentName(agent).endsWith(SHARED) ? (rule?.graceNs ?? 0) : 0;
    if (observerNs < firstBeatNs + graceNs)
      throw new SimulationFailure("promise: a new one is not judged", firstBeatNs, observerNs);
  }

  /** Other terms hold from `nowNs` on; no silence of before counts against them. */
  reloaded(nowNs: number): void {
    this.#reloadedNs = nowNs;
  }

  /** By when everybody who has been silent since the reload is judged by the terms of the rule. */
  #settledNs(): number {
    const { excusedNs, rule, thresholdNs } = this.#options;
    if (this.#reloadedNs === Number.NEGATIVE_INFINITY) return this.#reloadedNs;
    const longestNs = Math.max(rule?.thresholdNs ?? 0, thresholdNs);
    return this.#reloadedNs + longestNs + excusedNs(this.#reloadedNs, longestNs);
  }

  /** Nobody is judged before; who is silent then is judged at once. */
  #heldUntilNs(): number {
    const { guard } = this.#options;
    for (const { kind, atNs } of guard?.changes ?? []) {
      if (kind === "over") this.#guardOverNs = atNs;
      else if (atNs < this.#guardOverNs + GUARD_REST_NS_MIN)
        throw new SimulationFailure("promise: the guard rests", this.#guardOverNs, atNs);
    }
    return guard?.view === undefined ? this.#guardOverNs : Number.POSITIVE_INFINITY;
  }

  onRemoved(pid: number, nowNs: number): void {
    this.#watched.delete(pid);
    this.#removedThisTurn += 1;
    this.#removedNs.set(pid, nowNs);
  }

  onSpawn(asked: SpawnAsked): void {
    if (asked.argv.includes("show")) {
      // A question that fails says nothing, and what was answered before it holds.
      const mainPid = mainPidIn(asked.printed);
      const unit = asked.argv.at(-1)!;
      const told = this.#mainPids.get(unit) ?? new Set();
      if (!Number.isNaN(mainPid)) this.#mainPids.set(unit, told.add(mainPid));
      return;
    }
    this.#spawnsThisTurn += 1;
    this.#isPidGone = asked.env["VARTA_PID_GONE"] === "1";
    if (this.#isPidGone) {
      same("promise: no pid where nobody has it", "", asked.env["VARTA_PID"]);
      same("promise: no pid among the arguments", 2, asked.argv.length);
      return;
    }
    const pid = asked.env["VARTA_PID"];
    const { VARTA_GENERATION: generation, VARTA_ORIGIN: origin } = asked.env;
    const stall = this.#stalls.get(stallKey(pid, generation, origin));
    if (stall === undefined) {
      throw new SimulationFailure("promise: the command names an agent that stalled", "one", pid);
    }
    if (stall.origin !== KERNEL && stall.origin !== OPERATOR) {
      throw new SimulationFailure("promise: who may be recovered", "origin 0 or 1", stall.origin);
    }
    if (asked.argv.includes("restart")) this.#mayRestart(stall, asked.argv.at(-1)!);
    const live = this.#options.processes.find(stall.pid);
    if (stall.origin === KERNEL && live?.statReadable === true) {
      same("promise: no recovery for a reused pid", live.startTime, stall.generation);
      same("promise: no recovery for a process that never beat", true, live.hasSent);
    }
  }

  // Name and threshold come from one look: who is called by the program has the rule of that.
  #thresholdOf({ agent }: Stall): number {
    const { agentName, rule, thresholdNs } = this.#options;
    const isTaken = agentName(agent).endsWith(SHARED);
    return isTaken ? (rule?.thresholdNs ?? thresholdNs) : thresholdNs;
  }

  #isReadable(pid: number, generation: number): boolean {
    const { processes } = this.#options;
    const process = processes.find(pid);
    const isSame = process?.startTime === generation && !processes.swappedInLookup.has(pid);
    return isSame && process.statReadable;
  }

  /** The longest that a watched process may have. */
  #thresholdNsMax({ generation, wasReadable }: Watched): number {
    const { rule, thresholdNs } = this.#options;
    if (rule === undefined || !isShared(generation)) return thresholdNs;
    return wasReadable ? rule.thresholdNs : Math.max(rule.thresholdNs, thresholdNs);
  }

  // The name that a person reads is that of the process which fell silent, never of another one.
  #isNamed({ agent, pid, origin, generation, uid }: Stall): void {
    const { agentName, listenerNames } = this.#options;
    const name = agentName(agent);
    // The listener of its first beat, which may be another than that of its last.
    const remote = listenerNames.map((listener) => `${listener}/${pid}`);
    const allowed = origin === KERNEL ? namesOf(generation, uid) : remote;
    if (!allowed.includes(name))
      throw new SimulationFailure("promise: the name of an agent", allowed.join(" or "), name);
    same("promise: the number of an agent", this.#agentNames.get(agent) ?? name, name);
    this.#agentNames.set(agent, name);
  }

  #mayRestart({ pid, uid }: Stall, unit: string): void {
    if (isListed(unit)) return;
    same("promise: only the user of a unit has it restarted", UNIT_UID, uid);
    const isMain = this.#mainPids.get(unit)?.has(pid) === true;
    same(`promise: only its main process has it restarted, pid ${pid}`, true, isMain);
  }

  onOutcome(outcome: RecoveryOutcome): void {
    this.#runs.onOutcome(outcome);
    if (outcome.kind !== "storm")
      same("promise: the agent of an outcome", true, this.#agentNames.has(outcome.agent));
    if (["spawn", "refused", "deferred"].includes(outcome.kind)) this.#decisionsThisTurn += 1;
    if (outcome.kind === "spawn") {
      this.#children.add(outcome.childPid);
      const hasHolder = this.#options.processes.find(outcome.pid) !== undefined;
      same("promise: nobody has a pid that is called gone", false, this.#isPidGone && hasHolder);
    }
    if (outcome.kind !== "complete") return;
    this.#completionsThisTurn += 1;
    same("promise: a child ends once", true, this.#children.delete(outcome.childPid));
  }

  /**
   * `sinceNs` is the observer time at the start of the turn: every judge point of the turn was
   * later. `judged` is false if the turn may have had none, or does not show which pids are
   * tracked.
   */
  endTurn(sinceNs: number, judged: boolean, hasPendingStalls: boolean): void {
    const heldUntilNs = this.#heldUntilNs();
    this.#atMost("spawns", 16, this.#spawnsThisTurn);
    this.#atMost("stalls decided", 256, this.#decisionsThisTurn);
    // Two lists of at most 64, and at most one more for each decision.
    this.#atMost("completions", 128 + 256, this.#completionsThisTurn);
    // With a smaller judge limit, which retired slots count against too, some agents have to wait,
    // and only the model knows which.
    // Each may be late, wait for its grace, and leave that before it is judged.
    // Or be held before it is judged in the end.
    const moves = 5 * this.#watched.size + this.#removedThisTurn;
    const judgesAll = moves <= this.#options.judgeLimit;
    if (!judged || !this.#queueWasEmpty || hasPendingStalls || !judgesAll) return;
    for (const [pid, watched] of this.#watched) {
      const { lastBeatNs, reported } = watched;
      // It has said goodbye, or hello alone: the model says who has.
      if (this.#options.owesNoBeats(pid)) continue;
      const { excusedNs, rule } = this.#options;
      // By the threshold of now: a reload may have made another one of it.
      const ownNs = this.#thresholdNsMax(watched);
      const excused = lastBeatNs + excusedNs(lastBeatNs, ownNs);
      // It is not seen here which beat took the slot: the last one at the latest.
      const graceNs = isShared(watched.generation) ? (rule?.graceNs ?? 0) : 0;
      const silentNs = excused + Math.max(ownNs, graceNs);
      const deadlineNs = Math.max(silentNs, this.#settledNs(), heldUntilNs);
      this.#isLateIfDue(pid, watched, Math.max(excused + graceNs, heldUntilNs), sinceNs);
      if (reported || deadlineNs > sinceNs) continue;
      throw new SimulationFailure(
        `promise: no stall is missed, pid ${pid}`,
        `a stall, due since ${deadlineNs}`,
        `none in the turn at ${sinceNs}`,
      );
    }
  }

  #isLateIfDue(pid: number, watched: Watched, notBeforeNs: number, sinceNs: number): void {
    const { rule, excusedNs } = this.#options;
    const isTaken = isShared(watched.generation) && watched.wasReadable;
    if (rule === undefined || !isTaken || watched.late || watched.reported) return;
    const { lastBeatNs } = watched;
    const excused = excusedNs(lastBeatNs, rule.thresholdNs);
    const lateNs = Math.max(lastBeatNs + rule.lateNs + excused, notBeforeNs);
    if (Math.max(lateNs, this.#settledNs()) > sinceNs) return;
    throw new SimulationFailure(`promise: no late is missed, pid ${pid}`, lateNs, sinceNs);
  }

  endLife(): void {
    this.#runs.endLife();
    same("promise: every child is told to be over", 0, this.#children.size);
  }

  #atMost(what: string, limit: number, found: number): void {
    if (found > limit) throw new SimulationFailure(`promise: ${what} per turn`, limit, found);
  }
}

function mainPidIn(printed: string): number {
  return Number(/^MainPID=(\d+)$/m.exec(printed)?.[1]);
}

/** By the words of a command's environment. */
function stallKey(pid = "", generation = "", origin = ""): string {
  return `${pid} ${generation} ${origin}`;
}
