// The members of which was read what their end is judged by, by pid: the unit, when they started,
// and what recoveries did to them (spec 14 section 4).
import { NS_PER_S } from "../base/time.ts";
import type { RecoveryOutcome } from "../events/outcome.ts";
import type { ProcessEnd } from "../processes/end_watch.ts";
import type { WatchedMember } from "./end_options.ts";

/**
 * An agent that was woken by a signal and beat for so long after it ends for reasons of its own;
 * one that it was meant to end has done so by then.
 */
const SIGNAL_MEANT_NS = 600 * NS_PER_S;

type OfProcess = Pick<ProcessEnd, "pid" | "generation">;

export class WatchedMembers {
  readonly #byPid = new Map<number, WatchedMember>();

  add(pid: number, read: Pick<WatchedMember, "generation" | "unit" | "startedNs">): void {
    const untouched = { signalledNs: Number.NEGATIVE_INFINITY, recoveryId: Number.NaN };
    this.#byPid.set(pid, { ...read, ...untouched });
  }

  ofPid(pid: number): WatchedMember | undefined {
    return this.#byPid.get(pid);
  }

  of({ pid, generation }: OfProcess): WatchedMember | undefined {
    const member = this.#byPid.get(pid);
    return member?.generation === generation ? member : undefined;
  }

  forget(end: OfProcess): void {
    if (this.of(end) !== undefined) this.#byPid.delete(end.pid);
  }

  /** A recovery has done something: the end of a member that it signalled is not clean. */
  onOutcome(outcome: RecoveryOutcome, nowNs: number): void {
    const { kind } = outcome;
    if ((kind !== "began" && kind !== "step") || outcome.dryRun) return;
    const member = this.#byPid.get(outcome.pid);
    if (member === undefined) return;
    if (kind === "began") member.recoveryId = outcome.recoveryId;
    else if (outcome.step === "signal") member.signalledNs = nowNs;
  }

  isSignalled(end: OfProcess, nowNs: number): boolean {
    const member = this.of(end);
    return member !== undefined && nowNs - member.signalledNs <= SIGNAL_MEANT_NS;
  }

  /** The recovery that is in progress for the member, or whose signal it was that ended it. */
  recoveryOf(end: OfProcess, isRecovering: boolean, nowNs: number): number {
    const isIts = isRecovering || this.isSignalled(end, nowNs);
    return isIts ? (this.of(end)?.recoveryId ?? Number.NaN) : Number.NaN;
  }
}
