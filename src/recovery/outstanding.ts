// The life of recovery children from spawn to exit (spec 10 sections 5 to 7): one per agent pid in a bounded table, plus
// orphans whose agent's pid was taken over by another process. Exits are only noted when the runtime reports them and
// handled in the turn, within a budget; timeouts are heads of lists. Captured output is looked at while a child runs and
// for a short while after. Every child ends in exactly one "complete" outcome, and a group is never signalled after its
// leader's exit was reported, except once, at once, to end what it left behind.
import { constants } from "node:os";
import { ESRCH } from "../../ffi/constants.ts";
import { errnoText } from "../../ffi/errno.ts";
import { assert } from "../base/assert.ts";
import {
  POST_EXIT_GRACE_NS,
  RECOVERY_COMPLETIONS_PER_TURN_MAX,
  RECOVERY_KILL_STEPS_PER_TURN_MAX,
  SHUTDOWN_KILL_NS_MIN,
} from "../base/limits.ts";
import { saturatingAdd, saturatingSub } from "../base/saturating.ts";
import { SLAB_INSERTED, Slab } from "../tables/slab.ts";
import { type Child, ChildList } from "./child.ts";
import { LOST_OUTPUT } from "./child_output.ts";
import { type ChildRunner, type ChildSetting, PLAIN_SETTING } from "./child_runner.ts";
import {
  type CompleteOutcome,
  OUTCOME_KILLED,
  OUTCOME_REAPED_NONZERO,
  OUTCOME_REAPED_ZERO,
  type RecoveryOutcome,
} from "./outcome.ts";
import { OutputWatch } from "./output_watch.ts";

const { SIGKILL, SIGTERM } = constants.signals;

export interface ChildTimes {
  /** Undefined = a child is never killed. */
  readonly timeoutNs: number | undefined;
  readonly killGraceNs: number;
  readonly shutdownGraceNs: number;
}

/** Told when a child is over, after its outcome: whether it exited with 0 by itself. */
export type ChildEnd = (child: Child, succeeded: boolean, nowNs: number) => void;

export class Outstanding {
  readonly #runner: ChildRunner;
  readonly #outcomes: (outcome: RecoveryOutcome) => void;
  readonly #ended: ChildEnd;
  readonly #table: Slab<Child>;
  #orphanCount = 0;

  readonly #running = new ChildList();
  readonly #terminating = new ChildList();
  readonly #killed = new ChildList();
  readonly #exited = new ChildList();
  readonly #exitedOrphans = new ChildList();
  /** Over, but for the end of their output. */
  readonly #draining = new ChildList();
  readonly #outputs = new OutputWatch();

  #timeoutNs = Infinity;
  #killGraceNs = 0;
  #shutdownGraceNs = 0;
  /** End of the shutdown grace; NaN while no shutdown has begun. */
  #shutdownEndNs = NaN;

  #recycleResets = 0;
  #reapTruncated = 0;
  #invariantViolations = 0;

  constructor(
    capacity: number,
    runner: ChildRunner,
    outcomes: (outcome: RecoveryOutcome) => void,
    ended: ChildEnd = () => {},
  ) {
    this.#runner = runner;
    this.#outcomes = outcomes;
    this.#ended = ended;
    this.#table = new Slab(capacity);
  }

  /** Applies to the children that are running already, too: their deadlines move at once. */
  configure(times: ChildTimes): void {
    this.#timeoutNs = times.timeoutNs ?? Infinity;
    this.#killGraceNs = times.killGraceNs;
    this.#shutdownGraceNs = times.shutdownGraceNs;
  }

  /** Children whose end was not told yet, orphans included. */
  get count(): number {
    return this.#table.size + this.#orphanCount;
  }

  /** The child that acts for agent `pid`. */
  get(pid: number): Child | undefined {
    return this.#table.get(pid);
  }

  /** Makes room for `child` before it is started. False if there is none. Ends with `start()` or `release()`. */
  reserve(child: Child): boolean {
    const inserted = this.#table.tryInsert(child.pid, child) === SLAB_INSERTED;
    if (!inserted && this.#table.has(child.pid)) this.#countViolation();
    return inserted;
  }

  release(child: Child): void {
    this.#forget(child);
  }

  /** Starts a reserved child. Returns the system's error, or "" on success; after an error it is still reserved. */
  start(
    child: Child,
    argv: string[],
    env: Record<string, string>,
    setting: ChildSetting = PLAIN_SETTING,
  ): string {
    const exited = (exitCode: number, signal: number): void => {
      this.#noteExit(child, exitCode, signal);
    };
    const result = this.#runner.spawn(argv, env, exited, setting);
    if (result.childPid === 0) return result.error;
    child.childPid = result.childPid;
    child.output = result.output;
    if (child.output !== undefined) this.#outputs.add(child);
    else if (setting.keptBytesMax > 0) child.lostOutput = LOST_OUTPUT;
    // A runner may report the exit of a very short command before spawn() returns.
    (child.hasExited ? this.#exited : this.#running).append(child);
    return "";
  }

  /** SIGKILL to the group of a child whose agent is gone: 0, or -errno, and then it stays as it was. */
  killStale(child: Child, nowNs: number): number {
    const result = this.#signalGroup(child, SIGKILL);
    if (result === 0) this.#enterKilled(child, nowNs);
    return result;
  }

  /** Frees the agent's place in the table for its pid's new owner. False if there are too many orphans. */
  makeOrphan(child: Child): boolean {
    if (this.#orphanCount >= this.#table.capacity) return false;
    this.#forget(child);
    child.isOrphan = true;
    this.#orphanCount += 1;
    this.#recycleResets = saturatingAdd(this.#recycleResets, 1);
    return true;
  }

  /** Handles reported exits, timeouts and due kills, each within its budget. Returns the exits handled. */
  reap(nowNs: number): number {
    const handled =
      this.#finishExited(this.#exited, nowNs) + this.#finishExited(this.#exitedOrphans, nowNs);
    if (this.#exitsPending()) this.#reapTruncated = saturatingAdd(this.#reapTruncated, 1);
    this.#terminateOverdue(nowNs);
    this.#killOverdue(nowNs);
    this.#outputs.look(nowNs, (child) => this.#outputDone(child));
    this.#endDraining(nowNs);
    return handled;
  }

  /** Ends a child whose exit was reported, and tells how; what is left of its output is not awaited. */
  finish(child: Child, nowNs: number): void {
    assert(child.hasExited, "only a reported exit can be finished");
    this.#beginEnd(child, nowNs);
    let completion: CompleteOutcome["completion"] = "reaped";
    let error = "";
    if (child.isKillStarted) completion = "killed";
    else if (Number.isNaN(child.exitCode) && Number.isNaN(child.signal)) {
      completion = "reap_failed";
      error = "the system did not tell its exit status";
    }
    this.#complete(child, nowNs, completion, error);
  }

  /** Observer time of the next work: 0 if exits wait already, Infinity if there is nothing to wait for. */
  nextDeadlineNs(): number {
    if (this.#exitsPending()) return 0;
    const draining = this.#draining.head;
    const running = this.#running.head;
    const terminating = this.#terminating.head;
    let deadlineNs = this.#outputs.nextNs;
    if (draining !== undefined) deadlineNs = Math.min(deadlineNs, drainEndNs(draining));
    if (running !== undefined) deadlineNs = Math.min(deadlineNs, running.spawnNs + this.#timeoutNs);
    if (terminating !== undefined) {
      deadlineNs = Math.min(deadlineNs, terminating.killStartNs + this.#killGraceNs);
    }
    if (this.isShutdown && this.count > 0) deadlineNs = Math.min(deadlineNs, this.#shutdownEndNs);
    return deadlineNs;
  }

  get isShutdown(): boolean {
    return !Number.isNaN(this.#shutdownEndNs);
  }

  /** SIGTERM to every group that has not had a signal yet; orphans and timed-out children have theirs. */
  beginShutdown(nowNs: number): void {
    assert(!this.isShutdown, "shutdown begins once");
    this.#shutdownEndNs = nowNs + this.#shutdownGraceNs;
    this.#killGraceNs = Math.min(this.#killGraceNs, this.#shutdownGraceNs / 2);
    for (let child = this.#running.head; child !== undefined; child = this.#running.head) {
      this.#terminate(child, nowNs);
    }
  }

  /** True once every child's end was told; at the end of the grace the survivors are given up by this call. */
  shutdownDone(nowNs: number): boolean {
    assert(this.isShutdown, "shutdown has begun");
    if (this.count > 0 && nowNs >= this.#shutdownEndNs) this.#giveUpAll(nowNs);
    return this.count === 0;
  }

  /** SIGKILL to every group, and no more waiting: `shutdownDone()` will be true. */
  killAll(nowNs: number): void {
    for (const list of [this.#running, this.#terminating]) {
      for (let child = list.head; child !== undefined; child = list.head) this.#kill(child, nowNs);
    }
    this.#shutdownEndNs = nowNs;
  }

  takeRecycleResets(): number {
    const count = this.#recycleResets;
    this.#recycleResets = 0;
    return count;
  }

  takeReapTruncated(): number {
    const count = this.#reapTruncated;
    this.#reapTruncated = 0;
    return count;
  }

  takeInvariantViolations(): number {
    const count = this.#invariantViolations;
    this.#invariantViolations = 0;
    return count;
  }

  takeProbeExhausted(): number {
    return this.#table.takeProbeExhausted();
  }

  /** Called by the runtime between turns: notes the exit in O(1), the turn does the rest. */
  #noteExit(child: Child, exitCode: number, signal: number): void {
    if (child.hasExited) return;
    child.hasExited = true;
    child.exitCode = exitCode;
    child.signal = signal;
    // In no list: not started yet, or given up already.
    if (child.list === undefined) return;
    this.#exitedListOf(child).append(child);
  }

  #exitsPending(): boolean {
    return this.#exited.count + this.#exitedOrphans.count > 0;
  }

  #finishExited(list: ChildList, nowNs: number): number {
    let handled = 0;
    while (handled < RECOVERY_COMPLETIONS_PER_TURN_MAX && list.head !== undefined) {
      const child = list.head;
      this.#beginEnd(child, nowNs);
      if (child.output === undefined || child.output.isDone) this.finish(child, nowNs);
      else this.#draining.append(child);
      handled += 1;
    }
    return handled;
  }

  /** The first sight of an exit: what the command started must not outlive it if it was killed, and its output is due. */
  #beginEnd(child: Child, nowNs: number): void {
    if (!Number.isNaN(child.exitNs)) return;
    child.exitNs = nowNs;
    // An error changes nothing: the command itself is gone.
    if (child.isKillStarted) this.#signalGroup(child, SIGKILL);
    child.output?.pump();
  }

  /** What an exited child wrote is complete. */
  #outputDone(child: Child): void {
    if (child.list === this.#draining) this.#exitedListOf(child).append(child);
  }

  #exitedListOf(child: Child): ChildList {
    return child.isOrphan ? this.#exitedOrphans : this.#exited;
  }

  #endDraining(nowNs: number): void {
    for (let child = this.#draining.head; child !== undefined; child = this.#draining.head) {
      if (drainEndNs(child) > nowNs) return;
      this.finish(child, nowNs);
    }
  }

  #terminateOverdue(nowNs: number): void {
    for (let step = 0; step < RECOVERY_KILL_STEPS_PER_TURN_MAX; step++) {
      const child = this.#running.head;
      if (child === undefined || child.spawnNs + this.#timeoutNs > nowNs) return;
      if (!this.#terminate(child, nowNs)) continue;
      this.#outcomes({
        kind: "timeout",
        observerNs: nowNs,
        pid: child.pid,
        childPid: child.childPid,
        durationNs: saturatingSub(nowNs, child.spawnNs),
      });
    }
  }

  #killOverdue(nowNs: number): void {
    for (let step = 0; step < RECOVERY_KILL_STEPS_PER_TURN_MAX; step++) {
      const child = this.#terminating.head;
      if (child === undefined || child.killStartNs + this.#killGraceNs > nowNs) return;
      this.#kill(child, nowNs);
    }
  }

  /** False if the group could not be signalled: the child is given up. */
  #terminate(child: Child, nowNs: number): boolean {
    const result = this.#signalGroup(child, SIGTERM);
    if (result !== 0) {
      this.#giveUp(child, nowNs, `SIGTERM to its process group failed: ${errnoText(-result)}`);
      return false;
    }
    child.killStartNs = nowNs;
    this.#terminating.append(child);
    return true;
  }

  #kill(child: Child, nowNs: number): void {
    const result = this.#signalGroup(child, SIGKILL);
    if (result === 0) this.#enterKilled(child, nowNs);
    else this.#giveUp(child, nowNs, `SIGKILL to its process group failed: ${errnoText(-result)}`);
  }

  #enterKilled(child: Child, nowNs: number): void {
    if (!child.isKillStarted) child.killStartNs = nowNs;
    this.#killed.append(child);
    // A process that stood still over the whole grace kills and gives up in one look: it would lose every status.
    if (this.isShutdown)
      this.#shutdownEndNs = Math.max(this.#shutdownEndNs, nowNs + SHUTDOWN_KILL_NS_MIN);
  }

  /** A group that is gone already counts as signalled: the report of its leader's exit is on its way. */
  #signalGroup(child: Child, signal: number): number {
    const result = this.#runner.signalGroup(child.childPid, signal);
    return result === -ESRCH ? 0 : result;
  }

  #giveUpAll(nowNs: number): void {
    for (const list of [this.#exited, this.#exitedOrphans, this.#draining]) {
      for (let child = list.head; child !== undefined; child = list.head) this.finish(child, nowNs);
    }
    for (const list of [this.#running, this.#terminating, this.#killed]) {
      for (let child = list.head; child !== undefined; child = list.head) {
        this.#giveUp(child, nowNs, "it was still running at the end of the shutdown grace");
      }
    }
  }

  #giveUp(child: Child, nowNs: number, error: string): void {
    this.#complete(child, nowNs, "reap_failed", error);
  }

  #complete(
    child: Child,
    nowNs: number,
    completion: CompleteOutcome["completion"],
    error: string,
  ): void {
    child.list?.remove(child);
    if (child.isOrphan) this.#orphanCount -= 1;
    else this.#forget(child);
    child.output?.close();
    this.#outputs.remove(child);
    const exitNs = Number.isNaN(child.exitNs) ? nowNs : child.exitNs;
    this.#outcomes({
      kind: "complete",
      code: completeCode(completion, child.exitCode),
      completion,
      observerNs: nowNs,
      pid: child.pid,
      childPid: child.childPid,
      exitCode: child.exitCode,
      signal: child.signal,
      durationNs: saturatingSub(exitNs, child.spawnNs),
      error,
      captured: child.output?.captured() ?? child.lostOutput,
    });
    this.#ended(child, completion === "reaped" && child.exitCode === 0, nowNs);
  }

  #forget(child: Child): void {
    if (this.#table.remove(child.pid) !== child) this.#countViolation();
  }

  #countViolation(): void {
    this.#invariantViolations = saturatingAdd(this.#invariantViolations, 1);
  }
}

function drainEndNs(child: Child): number {
  return child.exitNs + POST_EXIT_GRACE_NS;
}

function completeCode(
  completion: CompleteOutcome["completion"],
  exitCode: number,
): CompleteOutcome["code"] {
  if (completion === "killed") return OUTCOME_KILLED;
  return completion === "reaped" && exitCode === 0 ? OUTCOME_REAPED_ZERO : OUTCOME_REAPED_NONZERO;
}
