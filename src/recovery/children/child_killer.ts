// Makes recovery children end (spec 10 sections 5 to 7): SIGTERM to the group of a child at its
// timeout and at the shutdown, SIGKILL after a grace, and at once if its agent is gone. It knows
// the children that run; timeouts are heads of lists, and each turn has a budget. Only its exit
// says that a child is over; one that cannot be signalled is given up.
import { constants } from "node:os";
import { ESRCH } from "../../../ffi/constants.ts";
import { errnoText } from "../../../ffi/errno.ts";
import { assert } from "../../base/assert.ts";
import { RECOVERY_KILL_STEPS_PER_TURN_MAX } from "../../base/limits.ts";
import { type Child, ChildList } from "./child.ts";
import type { ChildRunner } from "./child_runner.ts";
import { NS_PER_MS } from "../../base/time.ts";

/**
 * A shutdown waits at least this long after a SIGKILL, also after the end of its grace: dying takes
 * a moment.
 */
const SHUTDOWN_KILL_NS_MIN = 100 * NS_PER_MS;

const { SIGKILL, SIGTERM } = constants.signals;

export interface ChildTimes {
  /** Undefined = a child is never killed. */
  readonly timeoutNs: number | undefined;
  readonly killGraceNs: number;
  readonly shutdownGraceNs: number;
}

interface ChildKillerOptions {
  readonly runner: ChildRunner;
  readonly times: ChildTimes;
  /** A child ran into its timeout: its group got SIGTERM. */
  readonly timedOut: (child: Child, nowNs: number) => void;
  /** Ends a child of which nothing more will be known; takes it out of its list. */
  readonly giveUp: (child: Child, nowNs: number, error: string) => void;
}

export class ChildKiller {
  readonly #options: ChildKillerOptions;
  readonly #running = new ChildList();
  readonly #terminating = new ChildList();
  readonly #killed = new ChildList();
  #timeoutNs!: number;
  #killGraceNs!: number;
  #shutdownGraceNs!: number;
  #shutdownEndNs = Infinity;

  constructor(options: ChildKillerOptions) {
    this.#options = options;
    this.change(options.times);
  }

  /** Also for children that run: their lists are in the order of their starts. */
  change({ timeoutNs = Infinity, killGraceNs, shutdownGraceNs }: ChildTimes): void {
    this.#timeoutNs = timeoutNs;
    this.#killGraceNs = killGraceNs;
    this.#shutdownGraceNs = shutdownGraceNs;
  }

  /** A child was started. It stays in its list until it is put into another. */
  watch(child: Child): void {
    this.#running.append(child);
  }

  /** Terminates and kills children that are overdue, within the budget of a turn. */
  advance(nowNs: number): void {
    this.#terminateOverdue(nowNs);
    this.#killOverdue(nowNs);
  }

  /** Observer time of the next timeout or kill; Infinity = none. */
  nextDeadlineNs(): number {
    const running = this.#running.head;
    const terminating = this.#terminating.head;
    const timeoutNs = running === undefined ? Infinity : running.spawnNs + this.#timeoutNs;
    if (terminating === undefined) return timeoutNs;
    return Math.min(timeoutNs, terminating.killStartNs + this.#killGraceNs);
  }

  /**
   * SIGKILL to the group of a child whose agent is gone: 0, or -errno, and then it stays as it was.
   */
  killStale(child: Child, nowNs: number): number {
    const result = this.killGroup(child);
    if (result === 0) this.#enterKilled(child, nowNs);
    return result;
  }

  /** SIGKILL to the group of a child, whatever state it is in: 0 or -errno. */
  killGroup(child: Child): number {
    return this.#signalGroup(child, SIGKILL);
  }

  get isShutdown(): boolean {
    return this.#shutdownEndNs !== Infinity;
  }

  /** End of the shutdown grace; Infinity while no shutdown has begun. */
  get shutdownEndNs(): number {
    return this.#shutdownEndNs;
  }

  /**
   * SIGTERM to every group that has not had a signal yet; orphans and timed-out children have
   * theirs.
   */
  beginShutdown(nowNs: number): void {
    assert(!this.isShutdown, "shutdown begins once");
    this.#shutdownEndNs = nowNs + this.#shutdownGraceNs;
    this.#killGraceNs = Math.min(this.#killGraceNs, this.#shutdownGraceNs / 2);
    for (let child = this.#running.head; child !== undefined; child = this.#running.head) {
      this.#terminate(child, nowNs);
    }
  }

  /** SIGKILL to every group, and the shutdown grace is over. */
  killAll(nowNs: number): void {
    for (const list of [this.#running, this.#terminating]) {
      for (let child = list.head; child !== undefined; child = list.head) this.#kill(child, nowNs);
    }
    this.#shutdownEndNs = nowNs;
  }

  /** Gives up every child that still runs. */
  giveUpAll(nowNs: number): void {
    for (const list of [this.#running, this.#terminating, this.#killed]) {
      for (let child = list.head; child !== undefined; child = list.head) {
        this.#options.giveUp(child, nowNs, "it was still running at the end of the shutdown grace");
      }
    }
  }

  #terminateOverdue(nowNs: number): void {
    for (let step = 0; step < RECOVERY_KILL_STEPS_PER_TURN_MAX; step++) {
      const child = this.#running.head;
      if (child === undefined || child.spawnNs + this.#timeoutNs > nowNs) return;
      if (this.#terminate(child, nowNs)) this.#options.timedOut(child, nowNs);
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
      this.#options.giveUp(child, nowNs, signalFailed("SIGTERM", result));
      return false;
    }
    child.killStartNs = nowNs;
    this.#terminating.append(child);
    return true;
  }

  #kill(child: Child, nowNs: number): void {
    const result = this.killStale(child, nowNs);
    if (result !== 0) this.#options.giveUp(child, nowNs, signalFailed("SIGKILL", result));
  }

  #enterKilled(child: Child, nowNs: number): void {
    if (!child.isKillStarted) child.killStartNs = nowNs;
    this.#killed.append(child);
    // A process that stood still over the whole grace kills and gives up in one look: it would lose
    // every status.
    if (this.isShutdown)
      this.#shutdownEndNs = Math.max(this.#shutdownEndNs, nowNs + SHUTDOWN_KILL_NS_MIN);
  }

  /**
   * A group that is gone already counts as signalled: the report of its leader's exit is on its
   * way.
   */
  #signalGroup(child: Child, signal: number): number {
    const result = this.#options.runner.signalGroup(child.childPid, signal);
    return result === -ESRCH ? 0 : result;
  }
}

function signalFailed(signal: string, result: number): string {
  return `${signal} to its process group failed: ${errnoText(-result)}`;
}
