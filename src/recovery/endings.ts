// What recoveries come to, decided when their steps are over, when a beat comes, and when none came
// in the time for one (spec 10 section 3.3). Each that began has one result.
import { durationTextFromNs } from "../base/duration_text.ts";
import type { SequenceEnd } from "../events/outcome.ts";
import { sameLineage } from "../processes/generation.ts";
import type { StaleReason } from "./checks.ts";
import type { History } from "./history.ts";
import { NO_SUCCESSOR, type Reporter, type Successor } from "./reporter.ts";
import { PHASE_WAITING, type Sequence } from "./sequence.ts";

/** Why a recovery is over, where its steps do not say it. */
const END_REASONS: Readonly<Record<SequenceEnd, string>> = {
  succeeded: "",
  agent_resumed: "",
  exhausted: "",
  pid_recycled: "its pid belongs to another process",
  unit_in_flight: "another recovery restarts the unit",
  stopped: "the daemon stops",
};

/** What becomes of one whose stall holds no more. */
export const STALE_ENDS: Readonly<Record<Exclude<StaleReason, "beats_refused">, SequenceEnd>> = {
  skipped_agent_resumed: "agent_resumed",
  skipped_pid_recycled: "pid_recycled",
};

export class Endings {
  readonly #reporter: Reporter;
  readonly #history: History;

  constructor(reporter: Reporter, history: History) {
    this.#reporter = reporter;
    this.#history = history;
  }

  /** The steps are over; `isAwaited`: a beat may still say that they helped. */
  stepsOver(sequence: Sequence, end: SequenceEnd, isAwaited: boolean, nowNs: number): void {
    const reporter = this.#reporter;
    reporter.ended(sequence, end, nowNs);
    // Whoever reads it acts at once: a step that failed is not awaited.
    if (end === "exhausted" && sequence.notes.hasLastFailed)
      reporter.result(sequence, "not_helped", "", nowNs);
    else if (end === "agent_resumed") reporter.result(sequence, "helped", "", nowNs);
    else if (!isAwaited) {
      const isDone = end === "succeeded" || end === "exhausted";
      reporter.result(sequence, isDone ? "done" : "ended", END_REASONS[end], nowNs);
    }
  }

  /** The agent, or its successor, beats again. */
  helped(sequence: Sequence, nowNs: number, successor: Successor = NO_SUCCESSOR): void {
    const { phase, currentStep, notes, plan } = sequence;
    if (phase === PHASE_WAITING && currentStep.kind === "wait") notes.beatCame();
    this.#resumed(sequence, nowNs);
    if (plan.settings.verifyWithinNs !== undefined)
      this.#reporter.verified(sequence, "recovered", successor.unit, nowNs);
    this.#reporter.result(sequence, "helped", "", nowNs, successor);
  }

  /** No beat came in the time for one; `isUnknown`: and none could be known to be its own. */
  unhelped(sequence: Sequence, isUnknown: boolean, nowNs: number): void {
    const reporter = this.#reporter;
    const within = durationTextFromNs(sequence.plan.settings.verifyWithinNs!);
    reporter.verified(sequence, isUnknown ? "unknown" : "not_recovered", "", nowNs);
    if (isUnknown) {
      const reason = `the process ended and no member came within ${within}`;
      reporter.result(sequence, "unverified", reason, nowNs);
    } else reporter.result(sequence, "not_helped", `no beat within ${within}`, nowNs);
  }

  /** Another recovery of the member takes its place: of the process of `generation`. */
  replaced(sequence: Sequence, generation: number, nowNs: number): void {
    // Between two stalls of one process there was a beat.
    if (sameLineage(sequence.stall.generation, generation))
      this.#reporter.result(sequence, "helped", "", nowNs);
    else this.#reporter.result(sequence, "ended", END_REASONS.pid_recycled, nowNs);
  }

  /** One that did nothing yet was put off, and may not go on now. */
  dropped(sequence: Sequence, nowNs: number): void {
    this.#reporter.result(sequence, "ended", "it may not go on: see the refusal", nowNs);
  }

  /** The daemon stops; `inSteps`: the steps are not over. */
  stopped(sequence: Sequence, inSteps: boolean, nowNs: number): void {
    if (inSteps) this.#reporter.ended(sequence, "stopped", nowNs);
    this.#reporter.result(sequence, "ended", END_REASONS.stopped, nowNs);
  }

  /** The agent beats before anything was done for it. */
  notNeeded(sequence: Sequence, nowNs: number): void {
    this.#resumed(sequence, nowNs);
    this.#reporter.result(sequence, "ended", "the agent beats again", nowNs);
  }

  /** Back-off is over when the agent stays so for long enough. */
  #resumed({ paceKey, stall }: Sequence, nowNs: number): void {
    this.#history.resumed(paceKey, stall.generation, nowNs);
  }
}
