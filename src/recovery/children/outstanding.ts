// The recovery children from spawn to end (spec 10 sections 5 to 7), and the door to all of this
// folder: spawn, output, kill, reap. One child per agent in a bounded table, plus orphans whose
// agent's pid was taken over by another process. Exits are only noted when the runtime reports them
// and handled in the turn, within a budget; child_killer.ts sees to it that they come. Captured
// output is read while a child runs and for a short while after. What became of a child is handed
// out as events, in order: every child ends in exactly one "complete" outcome, and a group is never
// signalled after its leader's exit was reported, except once, at once, to end what it left.
import { errnoText } from "../../../ffi/errno.ts";
import { assert } from "../../base/assert.ts";
import { RECOVERY_COMPLETIONS_PER_TURN_MAX } from "../../base/limits.ts";
import { saturatingAdd, saturatingSub } from "../../base/saturating.ts";
import type { CompleteOutcome, OfMember, TimeoutOutcome } from "../../events/outcome.ts";
import type { Failure } from "../../processes/failure.ts";
import { sameLineage } from "../../processes/generation.ts";
import { SLAB_INSERTED, Slab } from "../../tables/slab.ts";
import { type Child, type ChildAgent, ChildList, type InTheWay } from "./child.ts";
import { ChildKiller, type ChildTimes } from "./child_killer.ts";
import { type ChildRunner, type ChildSetting, PLAIN_SETTING } from "./child_runner.ts";
import { OutputWatch } from "./output_watch.ts";
import { NS_PER_S } from "../../base/time.ts";

/** What a command left in the background may hold its output open for so long after its exit. */
const POST_EXIT_GRACE_NS = 2 * NS_PER_S;

/**
 * Children that are over and left something in the background that may write still: of so many it
 * is read and forgotten, and the oldest gets SIGPIPE then.
 */
const LINGERING_MAX = 64;

/** A child ran into its timeout, or is over. */
interface ChildEvent {
  readonly child: Child;
  readonly outcome: TimeoutOutcome | CompleteOutcome;
}

export class Outstanding {
  /** Stale children reclaimed because another process has the pid of their agent. */
  recycleResets = 0;
  /** Turns cut off at the completion cap. */
  reapTruncated = 0;
  /** Broken invariants: a bug if not 0. */
  invariantViolations = 0;
  readonly #runner: ChildRunner;
  #times: ChildTimes;
  /** Not handed out yet, the oldest first. */
  readonly #events: ChildEvent[] = [];
  #table: Slab<Child>;
  /** Children at most, and as many orphans; see `resize()`. */
  capacity: number;
  #orphanCount = 0;

  /** Has the children that run. */
  readonly #killer: ChildKiller;
  readonly #exited = new ChildList();
  readonly #exitedOrphans = new ChildList();
  /** Over, but for the end of their output. */
  readonly #draining = new ChildList();
  readonly #outputs = new OutputWatch();
  /** Over, but for what they left in the background. */
  readonly #lingering = new Set<Child>();

  constructor(capacity: number, runner: ChildRunner, times: ChildTimes) {
    this.#runner = runner;
    this.#times = times;
    this.capacity = capacity;
    this.#table = new Slab(capacity);
    this.#killer = new ChildKiller({
      runner,
      times,
      timedOut: (child, nowNs) => this.#timedOut(child, nowNs),
      giveUp: (child, nowNs, error) => this.#complete(child, nowNs, "reap_failed", error),
    });
  }

  /** Also for children that run. */
  change(times: ChildTimes): void {
    this.#times = times;
    this.#killer.change(times);
  }

  /** Children that there are stay, also if they are more. */
  resize(capacity: number): void {
    this.capacity = capacity;
    this.#table = this.#table.resized(capacity);
  }

  /** What became of children since it was asked last, one at a time; undefined = no more. */
  takeEvent(): ChildEvent | undefined {
    return this.#events.shift();
  }

  /** Children that are not over yet, orphans included. */
  get count(): number {
    return this.#table.size + this.#orphanCount;
  }

  /**
   * Checks 5 and 6: makes way for a child of `agent`, whose earlier one may have exited, or be that
   * of a former owner of the pid. Undefined, or what is in the way.
   */
  makeWay(agent: ChildAgent, nowNs: number): InTheWay | undefined {
    const earlier = this.#table.get(agent.key);
    if (earlier === undefined) return undefined;
    if (earlier.hasExited) {
      // Its exit was reported and only waits for its place in a turn: it is not in the way.
      this.#finish(earlier, nowNs);
      return undefined;
    }
    if (sameLineage(earlier.generation, agent.generation))
      return { reason: "outstanding_in_flight", error: "" };
    const killed = this.#killer.killStale(earlier, nowNs);
    if (killed !== 0) return { reason: "stale_child_kill_failed", error: errnoText(-killed) };
    return this.#makeOrphan(earlier) ? undefined : { reason: "orphan_reap_capacity", error: "" };
  }

  /** A child for this process of the agent runs. */
  isRunning({ key, generation }: ChildAgent): boolean {
    const child = this.#table.get(key);
    return child !== undefined && !child.hasExited && sameLineage(child.generation, generation);
  }

  /**
   * Makes room for `child` before it is started. False if there is none. Ends with `start()` or
   * `release()`.
   */
  reserve(child: Child): boolean {
    const hasRoom = this.#table.size < this.capacity;
    const inserted = hasRoom && this.#table.tryInsert(child.key, child) === SLAB_INSERTED;
    if (!inserted && this.#table.has(child.key)) this.#countViolation();
    return inserted;
  }

  release(child: Child): void {
    this.#forget(child);
  }

  /**
   * Starts a reserved child: undefined, or why it was not started, and then it is still reserved.
   */
  start(
    child: Child,
    argv: string[],
    env: Record<string, string>,
    setting: ChildSetting = PLAIN_SETTING,
  ): Failure | undefined {
    const exited = (exitCode: number, signal: number): void => {
      this.#noteExit(child, exitCode, signal);
    };
    const result = this.#runner.spawn(argv, env, exited, setting);
    if (result.failure !== undefined) return result.failure;
    child.childPid = result.childPid;
    child.output = result.output;
    if (child.output !== undefined) this.#outputs.add(child);
    // A runner may report the exit of a very short command before spawn() returns.
    if (child.hasExited) this.#exited.append(child);
    else this.#killer.watch(child);
    return undefined;
  }

  /**
   * Handles reported exits, timeouts and due kills, each within its budget. Returns the exits
   * handled.
   */
  reap(nowNs: number): number {
    const handled =
      this.#finishExited(this.#exited, nowNs) + this.#finishExited(this.#exitedOrphans, nowNs);
    if (this.#exitsPending()) this.reapTruncated = saturatingAdd(this.reapTruncated, 1);
    this.#killer.advance(nowNs);
    this.#outputs.look(nowNs, (child) => this.#outputDone(child));
    this.#endDraining(nowNs);
    return handled;
  }

  /**
   * Observer time of the next work: 0 if exits wait already, Infinity if there is nothing to wait
   * for.
   */
  nextDeadlineNs(): number {
    if (this.#exitsPending()) return 0;
    const draining = this.#draining.head;
    let deadlineNs = Math.min(this.#outputs.nextNs, this.#killer.nextDeadlineNs());
    if (draining !== undefined) deadlineNs = Math.min(deadlineNs, drainEndNs(draining));
    if (this.count > 0) deadlineNs = Math.min(deadlineNs, this.#killer.shutdownEndNs);
    return deadlineNs;
  }

  get isShutdown(): boolean {
    return this.#killer.isShutdown;
  }

  /**
   * SIGTERM to every group that has not had a signal yet; orphans and timed-out children have
   * theirs.
   */
  beginShutdown(nowNs: number): void {
    this.#killer.beginShutdown(nowNs);
  }

  /**
   * True once every child is over; at the end of the grace the survivors are given up by this call.
   */
  shutdownDone(nowNs: number): boolean {
    assert(this.isShutdown, "shutdown has begun");
    if (this.count > 0 && nowNs >= this.#killer.shutdownEndNs) this.#giveUpAll(nowNs);
    return this.count === 0;
  }

  /** SIGKILL to every group, and no more waiting: `shutdownDone()` will be true. */
  killAll(nowNs: number): void {
    this.#killer.killAll(nowNs);
  }

  /** Operations on the table that used up their probes. */
  get probeExhausted(): number {
    return this.#table.probeExhausted;
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

  /**
   * Frees the agent's place in the table for its pid's new owner. False if there are too many
   * orphans.
   */
  #makeOrphan(child: Child): boolean {
    if (this.#orphanCount >= this.capacity) return false;
    this.#forget(child);
    child.isOrphan = true;
    this.#orphanCount += 1;
    this.recycleResets = saturatingAdd(this.recycleResets, 1);
    return true;
  }

  /**
   * Ends a child whose exit was reported, and says how; what is left of its output is not awaited.
   */
  #finish(child: Child, nowNs: number): void {
    assert(child.hasExited, "only a reported exit can be finished");
    this.#beginEnd(child, nowNs);
    let completion: CompleteOutcome["completion"] = "reaped";
    let error = "";
    if (child.isKillStarted) completion = "killed";
    else if (Number.isNaN(child.exitCode) && Number.isNaN(child.signal)) {
      completion = "reap_failed";
      error = "the system did not give its exit status";
    }
    this.#complete(child, nowNs, completion, error);
  }

  #exitsPending(): boolean {
    return this.#exited.count + this.#exitedOrphans.count > 0;
  }

  #finishExited(list: ChildList, nowNs: number): number {
    let handled = 0;
    while (handled < RECOVERY_COMPLETIONS_PER_TURN_MAX && list.head !== undefined) {
      const child = list.head;
      this.#beginEnd(child, nowNs);
      const { output } = child;
      if (output === undefined || output.isDone || output.mayLinger) this.#finish(child, nowNs);
      else this.#draining.append(child);
      handled += 1;
    }
    return handled;
  }

  /**
   * The first sight of an exit: what the command started must not outlive it if it was killed, and
   * its output is due.
   */
  #beginEnd(child: Child, nowNs: number): void {
    if (!Number.isNaN(child.exitNs)) return;
    child.exitNs = nowNs;
    // An error changes nothing: the command itself is gone.
    if (child.isKillStarted) this.#killer.killGroup(child);
    // What it wrote before its end fits into its pipes, which are two shares of a turn.
    if (child.output?.mayLinger === true) child.output.pump();
    child.output?.pump();
  }

  /** What an exited child wrote is complete. */
  #outputDone(child: Child): void {
    this.#lingering.delete(child);
    if (child.list === this.#draining) this.#exitedListOf(child).append(child);
  }

  #exitedListOf(child: Child): ChildList {
    return child.isOrphan ? this.#exitedOrphans : this.#exited;
  }

  #endDraining(nowNs: number): void {
    for (let child = this.#draining.head; child !== undefined; child = this.#draining.head) {
      if (drainEndNs(child) > nowNs) return;
      this.#finish(child, nowNs);
    }
  }

  #giveUpAll(nowNs: number): void {
    for (const list of [this.#exited, this.#exitedOrphans, this.#draining]) {
      for (let child = list.head; child !== undefined; child = list.head)
        this.#finish(child, nowNs);
    }
    this.#killer.giveUpAll(nowNs);
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
    this.#endOutput(child);
    const exitNs = Number.isNaN(child.exitNs) ? nowNs : child.exitNs;
    this.#add(child, {
      kind: "complete",
      label: completeLabel(completion, child.exitCode),
      completion,
      ...memberOf(child, nowNs),
      ...child.place,
      childPid: child.childPid,
      exitCode: child.exitCode,
      signal: child.signal,
      durationNs: saturatingSub(exitNs, child.spawnNs),
      error,
      captured: child.output?.captured(),
    });
  }

  #endOutput(child: Child): void {
    if (child.output?.mayLinger !== true || child.output.isDone) {
      this.#closeOutput(child);
      return;
    }
    this.#lingering.add(child);
    const [oldest] = this.#lingering;
    if (this.#lingering.size > LINGERING_MAX && oldest !== undefined) this.#closeOutput(oldest);
  }

  #closeOutput(child: Child): void {
    this.#lingering.delete(child);
    child.output?.close();
    this.#outputs.remove(child);
  }

  #timedOut(child: Child, nowNs: number): void {
    this.#add(child, {
      kind: "timeout",
      ...memberOf(child, nowNs),
      ...child.place,
      childPid: child.childPid,
      timeoutNs: this.#times.timeoutNs ?? Infinity,
      durationNs: saturatingSub(nowNs, child.spawnNs),
    });
  }

  #add(child: Child, outcome: ChildEvent["outcome"]): void {
    this.#events.push({ child, outcome });
  }

  #forget(child: Child): void {
    if (this.#table.remove(child.key) !== child) this.#countViolation();
  }

  #countViolation(): void {
    this.invariantViolations = saturatingAdd(this.invariantViolations, 1);
  }
}

function memberOf(child: Child, observerNs: number): OfMember {
  const { pid, agent, recoveryId, plan, verdict } = child;
  return { observerNs, pid, agent, recoveryId, plan, verdict };
}

function drainEndNs(child: Child): number {
  return child.exitNs + POST_EXIT_GRACE_NS;
}

function completeLabel(
  completion: CompleteOutcome["completion"],
  exitCode: number,
): CompleteOutcome["label"] {
  if (completion === "killed") return "killed";
  return completion === "reaped" && exitCode === 0 ? "reaped_zero" : "reaped_nonzero";
}
