// Recovery as spec 10 describes it, slow and literal: a list of children, a Map of debounce
// windows, and a search wherever the daemon keeps an order. What the system answered to the daemon
// (spawned or not, signalled or not) is read from the record of the simulated runner, and the
// daemon must have asked exactly what the model would ask.
import { constants } from "node:os";
import type { ChildExit, Exit, SignalAsked, SpawnAsked } from "./children.ts";
import type { ModelStall } from "./model_rows.ts";
import { OWN_INODE } from "./process_table.ts";
import type { SimulatedProcess } from "./process_table.ts";
import type { Scenario } from "./scenario.ts";
import { type ModelLookup, UnitLookupModel } from "./unit_lookup_model.ts";
import { isListed, UNIT_UID } from "./units.ts";

const { SIGKILL, SIGTERM } = constants.signals;
const { ESRCH } = constants.errno;
const SECOND_NS = 1_000_000_000;
const KERNEL = 0;
const OPERATOR = 1;
const SOCKET_MODE = 2;

interface ModelChild {
  readonly pid: number;
  readonly generation: number | undefined;
  readonly spawnNs: number;
  readonly childPid: number;
  state: "running" | "terminating" | "killed";
  killStartNs: number | undefined;
  isOrphan: boolean;
  exit: Exit | undefined;
  /** Order in which it entered its state, or reported its exit. */
  since: number;
}

interface Window {
  readonly generation: number | undefined;
  readonly firedNs: number;
}

/** A recovery from its first try to the end of its command, at most one for each pid. */
interface ModelRecovery {
  readonly stall: ModelStall;
  /** Undefined = it could not be started yet. */
  child: ModelChild | undefined;
  tries: number;
  firstTryNs: number;
  nextTryNs: number;
  /** Order in which they were put off. */
  since: number;
  /** Its time has come, and it waits for its place in a turn. */
  isReady: boolean;
  /** It goes on at its step when it is decided again. */
  isPutOff: boolean;
  /** The unit that it restarts; undefined = it has none, or is not about units. */
  unit: string | undefined;
  /** The question whether it may. */
  lookup: ModelLookup | undefined;
}

/** What is true of the world at the moment of a decision. */
export interface ModelWorld {
  freshness(pid: number, generation: number | undefined): string;
  processOf(pid: number): SimulatedProcess | undefined;
  unitOf(process: SimulatedProcess): string | undefined;
}

export class RecoveryModel {
  /** Outcomes of this turn as text. */
  outcomes: string[] = [];
  /** Spawns in this turn, failed ones included. */
  spawns = 0;
  evaluations = 0;
  /** Totals by series, as on the metrics page. */
  readonly totals = new Map<string, number>();
  readonly children: ModelChild[] = [];
  readonly #scenario: Scenario;
  readonly #world: ModelWorld;
  /** Commands that were told that no process has the pid. */
  pidGoneCount = 0;
  readonly #recoveries = new Map<number, ModelRecovery>();
  readonly #lookups = new UnitLookupModel({
    takeSpawn: (what) => this.#takeSpawn(what, ({ argv }) => what === `show ${argv.at(-1)}`),
    takeSignal: (childPid, signal) => this.#takeSignal(childPid, signal),
  });
  /** Unit to the child that restarts it. */
  readonly #restarting = new Map<string, ModelChild>();
  readonly #windows = new Map<number, Window>();
  #spawnsAsked: readonly SpawnAsked[] = [];
  #signalsAsked: readonly SignalAsked[] = [];
  #order = 0;

  constructor(scenario: Scenario, world: ModelWorld) {
    this.#scenario = scenario;
    this.#world = world;
  }

  /** `spawns` and `signals`: what the daemon asked of the system in the turn that is replayed. */
  beginTurn(spawns: readonly SpawnAsked[], signals: readonly SignalAsked[]): void {
    this.outcomes = [];
    this.#spawnsAsked = [...spawns];
    this.#signalsAsked = [...signals];
    this.spawns = 0;
    this.evaluations = 0;
  }

  /** What the daemon asked and the model would not have. */
  unexpectedRequests(): string {
    const spawns = this.#spawnsAsked.map(({ argv }) => `spawn ${argv.join(" ")}`);
    const signals = this.#signalsAsked.map(
      ({ childPid, signal }) => `signal ${signal} to ${childPid}`,
    );
    return [...spawns, ...signals].join(", ");
  }

  /**
   * The answers of the service manager that have come: each that waits for one has its place in a
   * turn.
   */
  takeAnswers(nowNs: number): void {
    if (!this.#scenario.recovers) return;
    for (const lookup of this.#lookups.advance(nowNs)) {
      const waiting = [...this.#recoveries.values()].filter(
        (one) => one.lookup === lookup && one.child === undefined && !one.isReady,
      );
      for (const recovery of waiting.sort((a, b) => a.since - b.since)) {
        recovery.isReady = true;
        recovery.since = ++this.#order;
      }
    }
  }

  noteExit(exit: ChildExit): void {
    this.#lookups.noteExit(exit);
    const child = this.children.find((one) => one.childPid === exit.childPid);
    if (child === undefined || child.exit !== undefined) return;
    child.exit = { exitCode: exit.exitCode, signal: exit.signal };
    child.since = ++this.#order;
  }

  /** Spec 10 section 3. */
  decide(stall: ModelStall, nowNs: number): void {
    this.evaluations += 1;
    const isNone = this.#takes(stall) && this.#scenario.rule!.debounceNs === undefined;
    if (!isNone) this.#decide(stall, nowNs, undefined);
  }

  /** Whether the rule of the scenario takes the agent of a stall. */
  #takes({ rule }: ModelStall): boolean {
    return rule === 0;
  }

  /** The agent beats again: nothing more is begun for it. */
  resumed(pid: number, generation: number): void {
    const recovery = this.#recoveries.get(pid);
    if (recovery === undefined) return;
    const known = Number.isNaN(generation) ? undefined : generation;
    if (sameLineage(recovery.stall.generation, known)) this.#recoveries.delete(pid);
  }

  /** Those that wait for their place in a turn. */
  get readyCount(): number {
    return this.#ready().length;
  }

  /** Decides again what could not be started, within what is left of a turn. */
  retry(nowNs: number, spawnsMax: number): void {
    const left = Math.max(0, spawnsMax - this.spawns);
    const due = [...this.#recoveries.values()].filter(
      ({ child, isReady, nextTryNs }) => child === undefined && !isReady && nextTryNs <= nowNs,
    );
    due.sort((a, b) => a.nextTryNs - b.nextTryNs || a.since - b.since);
    for (const recovery of due.slice(0, 256)) {
      recovery.isReady = true;
      recovery.since = ++this.#order;
    }
    const before = this.spawns;
    for (const recovery of this.#ready().slice(0, 256)) {
      if (this.spawns - before >= left) return;
      const { stall, isPutOff } = recovery;
      this.#recoveries.delete(stall.pid);
      if (this.#world.freshness(stall.pid, stall.generation) === "BeatsRefused")
        this.#hold(recovery, nowNs);
      else this.#decide(stall, nowNs, isPutOff ? recovery : undefined);
    }
  }

  /** Beats of the agent are refused: it is checked again in a second. */
  #hold(recovery: ModelRecovery, nowNs: number): void {
    const nextTryNs = nowNs + SECOND_NS;
    const since = ++this.#order;
    this.#recoveries.set(recovery.stall.pid, { ...recovery, nextTryNs, since, isReady: false });
  }

  #ready(): ModelRecovery[] {
    const ready = [...this.#recoveries.values()].filter(({ isReady }) => isReady);
    return ready.sort((a, b) => a.since - b.since);
  }

  #decide(stall: ModelStall, nowNs: number, tried: ModelRecovery | undefined): void {
    const reason = this.#reasonAgainst(stall, nowNs, tried);
    if (reason === undefined) return;
    this.outcomes.push(`refused ${stall.pid} @${nowNs} ${reason}`);
    const [outcome, refused] = LABELS[reason]!;
    this.#count(`varta_recovery_outcomes_total{outcome="${outcome}"}`);
    if (refused !== "") this.#count(`varta_recovery_refused_total{reason="${refused}"}`);
    if (STEP_FAILURES.includes(reason))
      this.#count(`varta_recovery_step_failures_total{step="${this.#step}"}`);
  }

  /** Spec 10 section 5. */
  reap(nowNs: number): void {
    this.#reapExited(false, nowNs);
    this.#reapExited(true, nowNs);
    if (this.children.some((child) => child.exit !== undefined)) {
      this.#count("varta_recovery_reap_truncated_total");
    }
    const { timeoutNs, killGraceNs } = this.#scenario;
    const overdue = this.#inState("running").filter(
      (child) => timeoutNs !== undefined && child.spawnNs + timeoutNs <= nowNs,
    );
    for (const child of overdue.slice(0, 256)) this.#terminate(child, nowNs);
    const stubborn = this.#inState("terminating").filter(
      (child) => child.killStartNs! + killGraceNs <= nowNs,
    );
    for (const child of stubborn.slice(0, 256)) this.#kill(child, nowNs);
  }

  #reasonAgainst(
    stall: ModelStall,
    nowNs: number,
    tried: ModelRecovery | undefined,
  ): string | undefined {
    const { rule } = this.#scenario;
    const debounceNs = this.#takes(stall) ? rule!.debounceNs! : this.#scenario.debounceNs;
    const freshness = this.#world.freshness(stall.pid, stall.generation);
    if (freshness === "AgentResumed") return "skipped_agent_resumed";
    if (freshness === "PidRecycled") return "skipped_pid_recycled";

    const distrust = this.#distrust(stall);
    const isUnidentified =
      distrust === "unproven_sender" ||
      (distrust === "cross_namespace_agent" && stall.namespaceInode === undefined);
    if (distrust !== undefined && !isUnidentified) return distrust;
    if (isUnidentified) {
      const holder = this.#world.processOf(stall.pid);
      if (holder !== undefined) return holder.statReadable ? distrust : "process_unreadable";
      if (this.#scenario.commandNamesPid || this.#scenario.restartsUnit) return "pid_gone";
    }
    if (freshness === "BeatsRefused") {
      const { capacity } = this.#scenario;
      if (this.#recoveries.size < capacity && !this.#recoveries.has(stall.pid))
        this.#hold({ ...NEVER_TRIED, stall, child: undefined }, nowNs);
      return "beats_refused";
    }

    const window = this.#windows.get(stall.pid);
    if (window !== undefined) {
      const isOpen = nowNs - window.firedNs < debounceNs;
      const isSame = sameLineage(window.generation, stall.generation);
      if (isOpen && isSame) return "debounced";
      if (isOpen) this.#count("varta_recovery_debounce_recycle_resets_total");
      if (!isSame) this.#windows.delete(stall.pid);
    }
    return this.#besideChild(stall, nowNs) ?? this.#fire(stall, nowNs, isUnidentified, tried);
  }

  #distrust(stall: ModelStall): string | undefined {
    const { allowCrossNamespace, observerInode } = this.#scenario;
    if (stall.origin === KERNEL) {
      const isProven = stall.proven && stall.generation !== undefined;
      const isOwn = stall.namespaceInode === OWN_INODE && observerInode === OWN_INODE;
      const isAllowed = allowCrossNamespace || stall.isContained;
      if (!isAllowed && !isOwn && (isProven || stall.namespaceInode !== undefined))
        return "cross_namespace_agent";
      if (!isProven) return "unproven_sender";
    }
    if (stall.origin === KERNEL || stall.origin === OPERATOR) return undefined;
    return stall.origin === SOCKET_MODE ? "socket_mode_only" : "unauthenticated_transport";
  }

  #besideChild(stall: ModelStall, nowNs: number): string | undefined {
    const earlier = this.children.find((child) => child.pid === stall.pid && !child.isOrphan);
    if (earlier === undefined) return undefined;
    if (earlier.exit !== undefined) {
      this.#finish(earlier, nowNs);
      return undefined;
    }
    if (sameLineage(earlier.generation, stall.generation)) return "outstanding_in_flight";
    if (!this.#signal(earlier, SIGKILL)) return "stale_child_kill_failed";
    this.#enter(earlier, "killed", nowNs);
    const orphanCount = this.children.filter((child) => child.isOrphan).length;
    if (orphanCount >= this.#scenario.capacity) return "orphan_reap_capacity";
    earlier.isOrphan = true;
    this.#count("varta_recovery_outstanding_recycle_resets_total");
    return undefined;
  }

  #fire(
    stall: ModelStall,
    nowNs: number,
    isPidGone: boolean,
    tried: ModelRecovery | undefined,
  ): string | undefined {
    const { capacity, rule } = this.#scenario;
    // Windows are kept for as long as any plan asks for them.
    const debounceNs = Math.max(this.#scenario.debounceNs, rule?.debounceNs ?? 0);
    if (this.#recoveries.size >= capacity && !this.#recoveries.has(stall.pid)) {
      return "outstanding_capacity";
    }
    if (this.children.filter((child) => !child.isOrphan).length >= capacity) {
      return "outstanding_capacity";
    }
    if (!this.#windows.has(stall.pid) && !this.#makeRoom(nowNs, debounceNs)) {
      return "debounce_capacity";
    }
    this.#recoveries.delete(stall.pid);
    const recovery: ModelRecovery = {
      ...(tried ?? { ...NEVER_TRIED, stall, child: undefined, unit: this.#unitOf(stall) }),
      isReady: false,
      isPutOff: true,
    };
    const { unit } = recovery;
    if (this.#scenario.restartsUnit) {
      const reason = this.#mayRestart(recovery, nowNs);
      if (reason !== "") return reason;
    }
    this.spawns += 1;
    const pid = isPidGone ? "" : String(stall.pid);
    const what = unit ?? "/bin/recover";
    const asked = this.#takeSpawn(
      `command ${what} for ${stall.pid}`,
      ({ argv, env }) => env["VARTA_PID"] === pid && argv.includes(what),
    );
    if (asked === undefined) return undefined;
    if (asked.isTransient && this.#defer(recovery, nowNs)) return undefined;
    if (asked.childPid === 0) return "spawn_failed";
    if (isPidGone) this.pidGoneCount += 1;
    this.#windows.delete(stall.pid);
    this.#windows.set(stall.pid, { generation: stall.generation, firedNs: nowNs });
    const child: ModelChild = {
      pid: stall.pid,
      generation: stall.generation,
      spawnNs: nowNs,
      childPid: asked.childPid,
      state: "running",
      killStartNs: undefined,
      isOrphan: false,
      exit: asked.exitedAtOnce,
      since: ++this.#order,
    };
    this.children.push(child);
    if (unit !== undefined) this.#restarting.set(unit, child);
    this.#recoveries.set(stall.pid, { ...NEVER_TRIED, stall, child, unit });
    this.outcomes.push(`spawn ${stall.pid} @${nowNs} child ${asked.childPid}`);
    this.#count('varta_recovery_outcomes_total{outcome="spawned"}');
    this.#count(`varta_recovery_steps_total{step="${this.#step}"}`);
    return undefined;
  }

  get #step(): string {
    return this.#scenario.restartsUnit ? "restart_unit" : "exec";
  }

  /** The unit that the process of a stall runs in, if it still is that process. */
  #unitOf({ pid, origin, generation }: ModelStall): string | undefined {
    if (!this.#scenario.restartsUnit || origin !== KERNEL) return undefined;
    const process = this.#world.processOf(pid);
    const isSame = process?.statReadable === true && process.startTime === generation;
    return isSame ? this.#world.unitOf(process) : undefined;
  }

  /**
   * Why the unit is not restarted now: a reason, or undefined while it is not known; "" = it may
   * be.
   */
  #mayRestart(recovery: ModelRecovery, nowNs: number): string | undefined {
    const { stall, unit } = recovery;
    if (unit === undefined) return "unit_unknown";
    if (!isListed(unit)) recovery.lookup ??= this.#lookups.ask(unit, nowNs);
    const { lookup } = recovery;
    if (lookup !== undefined) {
      if (lookup.answer === undefined) {
        recovery.nextTryNs = Number.POSITIVE_INFINITY;
        recovery.since = ++this.#order;
        this.#recoveries.set(stall.pid, recovery);
        return undefined;
      }
      if (lookup.isTransient) recovery.lookup = undefined;
      if (lookup.isTransient && this.#defer(recovery, nowNs)) return undefined;
      const isMain = lookup.answer.includes(`\nMainPID=${stall.pid}\n`);
      if (!isMain || stall.uid !== UNIT_UID) return "unit_not_owned";
    }
    return this.#restarting.has(unit) ? "unit_in_flight" : "";
  }

  /**
   * Puts a recovery off that could not be started: twice as long each time. False after ten minutes
   * of it.
   */
  #defer(recovery: ModelRecovery, nowNs: number): boolean {
    const { stall, tries } = recovery;
    const firstTryNs = tries === 0 ? nowNs : recovery.firstTryNs;
    if (nowNs - firstTryNs >= 600 * SECOND_NS) return false;
    const pauseNs = Math.min(0.1 * SECOND_NS * 2 ** tries, 30 * SECOND_NS);
    const nextTryNs = nowNs + pauseNs;
    const since = ++this.#order;
    this.#recoveries.set(stall.pid, {
      ...recovery,
      tries: tries + 1,
      firstTryNs,
      nextTryNs,
      since,
    });
    this.outcomes.push(`deferred ${stall.pid} @${nowNs} by ${pauseNs}`);
    if (tries === 0) this.#count('varta_recovery_outcomes_total{outcome="deferred"}');
    this.#count(`varta_recovery_step_retries_total{step="${this.#step}"}`);
    return true;
  }

  /** The next process that the daemon started, if it is the one that the model would start. */
  #takeSpawn(what: string, isIt: (asked: SpawnAsked) => boolean): SpawnAsked | undefined {
    const asked = this.#spawnsAsked[0];
    if (asked === undefined || !isIt(asked)) {
      this.outcomes.push(`the model wants ${what}`);
      return undefined;
    }
    this.#spawnsAsked = this.#spawnsAsked.slice(1);
    return asked;
  }

  /**
   * Room for one more window: entries ten debounces old count for nothing, else the oldest goes if
   * it has passed.
   */
  #makeRoom(nowNs: number, debounceNs: number): boolean {
    for (const [pid, { firedNs }] of this.#windows) {
      if (nowNs - firedNs > 10 * debounceNs) this.#windows.delete(pid);
    }
    if (this.#windows.size < this.#scenario.capacity) return true;
    // A Map keeps the order of insertion, which is the order of firing.
    const [oldestPid, oldest] = this.#windows.entries().next().value!;
    if (nowNs - oldest.firedNs < debounceNs) return false;
    this.#windows.delete(oldestPid);
    this.#count("varta_recovery_last_fired_evictions_total");
    return true;
  }

  #reapExited(orphans: boolean, nowNs: number): void {
    const exited = this.children.filter(
      (child) => child.exit !== undefined && child.isOrphan === orphans,
    );
    exited.sort((a, b) => a.since - b.since);
    for (const child of exited.slice(0, 64)) this.#finish(child, nowNs);
  }

  #finish(child: ModelChild, nowNs: number): void {
    const { exitCode, signal } = child.exit!;
    if (child.killStartNs !== undefined) {
      // What is left of the group; its answer changes nothing.
      this.#signal(child, SIGKILL);
      this.#complete(child, nowNs, "killed");
    } else if (Number.isNaN(exitCode) && Number.isNaN(signal)) {
      this.#complete(child, nowNs, "reap_failed");
    } else {
      this.#complete(child, nowNs, "reaped");
    }
  }

  #terminate(child: ModelChild, nowNs: number): void {
    if (!this.#signal(child, SIGTERM)) {
      this.#complete(child, nowNs, "reap_failed");
      return;
    }
    this.#enter(child, "terminating", nowNs);
    const { pid, childPid, spawnNs } = child;
    this.outcomes.push(`timeout ${pid} @${nowNs} child ${childPid} after ${nowNs - spawnNs}`);
  }

  #kill(child: ModelChild, nowNs: number): void {
    if (this.#signal(child, SIGKILL)) this.#enter(child, "killed", nowNs);
    else this.#complete(child, nowNs, "reap_failed");
  }

  #enter(child: ModelChild, state: ModelChild["state"], nowNs: number): void {
    child.state = state;
    child.killStartNs ??= nowNs;
    child.since = ++this.#order;
  }

  #inState(state: ModelChild["state"]): ModelChild[] {
    const found = this.children.filter(
      (child) => child.state === state && child.exit === undefined,
    );
    return found.sort((a, b) => a.since - b.since);
  }

  /** True if the group got the signal or is gone already. */
  #signal(child: ModelChild, signal: number): boolean {
    return this.#takeSignal(child.childPid, signal);
  }

  #takeSignal(childPid: number, signal: number): boolean {
    const asked = this.#signalsAsked[0];
    if (asked === undefined || asked.childPid !== childPid || asked.signal !== signal) {
      this.outcomes.push(`the model wants signal ${signal} to ${childPid}`);
      return false;
    }
    this.#signalsAsked = this.#signalsAsked.slice(1);
    return asked.result === 0 || asked.result === -ESRCH;
  }

  #complete(child: ModelChild, nowNs: number, completion: string): void {
    const { pid, childPid, spawnNs, exit } = child;
    this.children.splice(this.children.indexOf(child), 1);
    if (this.#recoveries.get(pid)?.child === child) this.#recoveries.delete(pid);
    for (const [unit, restarter] of this.#restarting)
      if (restarter === child) this.#restarting.delete(unit);
    const exitCode = exit?.exitCode ?? Number.NaN;
    const signal = exit?.signal ?? Number.NaN;
    this.outcomes.push(
      `complete ${pid} @${nowNs} child ${childPid} ${completion} code ${exitCode} signal ${signal} after ${nowNs - spawnNs}`,
    );
    const reaped = completion === "reaped" && exitCode === 0 ? "reaped_zero" : "reaped_nonzero";
    const outcome = completion === "killed" ? "killed" : reaped;
    this.#count(`varta_recovery_outcomes_total{outcome="${outcome}"}`);
    if (completion === "reaped") this.#count("varta_recovery_duration_seconds_count");
  }

  countDeferral(): void {
    this.#count("varta_recovery_spawn_budget_exceeded_total");
  }

  #count(series: string): void {
    this.totals.set(series, (this.totals.get(series) ?? 0) + 1);
  }
}

const NEVER_TRIED = {
  tries: 0,
  firstTryNs: 0,
  nextTryNs: 0,
  since: 0,
  isReady: false,
  isPutOff: false,
  unit: undefined,
  lookup: undefined,
};
const STEP_FAILURES = ["spawn_failed", "unit_unknown", "unit_not_owned"];

/** Reason: outcome label and refusal label (spec 10 section 3). */
const LABELS: Readonly<Record<string, readonly [string, string]>> = {
  skipped_agent_resumed: ["skipped_agent_resumed", ""],
  skipped_pid_recycled: ["skipped_pid_recycled", ""],
  unit_unknown: ["step_failed", ""],
  unit_not_owned: ["refused_unit_not_owned", "unit_not_owned"],
  unit_in_flight: ["debounced", ""],
  process_unreadable: ["skipped_stall_unverifiable", "process_unreadable"],
  pid_gone: ["refused_pid_gone", "pid_gone"],
  cross_namespace_agent: ["refused_cross_namespace", "cross_namespace_agent"],
  socket_mode_only: ["refused_socket_mode_only", "socket_mode_only"],
  unauthenticated_transport: ["refused_unauthenticated_transport", "unauthenticated_transport"],
  unproven_sender: ["refused_unproven_sender", "unproven_sender"],
  beats_refused: ["refused_beats_refused", "beats_refused"],
  debounced: ["debounced", ""],
  outstanding_in_flight: ["debounced", ""],
  stale_child_kill_failed: ["refused_stale_child_kill_failed", "stale_child_kill_failed"],
  orphan_reap_capacity: ["refused_outstanding_capacity", "outstanding_capacity"],
  outstanding_capacity: ["refused_outstanding_capacity", "outstanding_capacity"],
  debounce_capacity: ["refused_debounce_capacity", "debounce_capacity"],
  spawn_failed: ["spawn_failed", ""],
};

function sameLineage(a: number | undefined, b: number | undefined): boolean {
  return a === undefined || b === undefined || a === b;
}
