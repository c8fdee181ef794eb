// What became of each step of a recovery, in the words of the last line about it (spec 10 section
// 8): "SIGQUIT sent; wait 5s no beat; restart app.service exit 1".
import { signalName } from "../base/wait_status.ts";
import type { CapturedOutput } from "../events/captured_output.ts";
import type { CompleteOutcome } from "../events/outcome.ts";
import type { DecisionReason } from "../events/outcome_words.ts";

interface StepNote {
  readonly subject: string;
  readonly words: string;
}

export class StepNotes {
  /** Of the child that ended last; NaN = none did, or not so. */
  exitCode = NaN;
  signal = NaN;
  /** What that child printed, if it failed and its output is kept. */
  captured: CapturedOutput | undefined = undefined;
  /** Why the first of the steps that could not be done was not. */
  fault: DecisionReason | undefined = undefined;
  /** The last step that was begun has failed; a signal that was sent has not. */
  hasLastFailed = false;
  readonly #notes: StepNote[] = [];

  /** A step was begun: what it is, and how it goes. */
  begun(subject: string, words: string): void {
    this.#notes.push({ subject, words });
    this.hasLastFailed = false;
  }

  /** A wait has begun. As long as no beat ends it, it is over without one. */
  waits(subject: string): void {
    this.begun(subject, "no beat");
    this.hasLastFailed = true;
  }

  /** A beat came while it waited. */
  beatCame(): void {
    this.#change("beat came");
    this.hasLastFailed = false;
  }

  /** A step could not be done. */
  notDone(subject: string, reason: DecisionReason, error: string): void {
    const words = error.startsWith(`${subject}: `) ? error.slice(subject.length + 2) : error;
    this.#notes.push({ subject: `${subject}:`, words: words || reason });
    this.fault ??= reason;
    this.hasLastFailed = true;
  }

  /** The child of the step that was begun last is over. */
  ended({ label, completion, exitCode, signal, captured }: CompleteOutcome): void {
    this.exitCode = exitCode;
    this.signal = signal;
    this.hasLastFailed = label !== "reaped_zero";
    this.captured = this.hasLastFailed ? captured : undefined;
    if (!this.hasLastFailed) this.#change("done");
    else if (completion === "reap_failed") this.#change("ended, status unknown");
    else if (!Number.isNaN(signal))
      this.#change(`killed by ${signalName(signal) ?? `signal ${signal}`}`);
    else this.#change(`exit ${exitCode}`);
  }

  /** One text of all of them. Their separator is in none of them. */
  get text(): string {
    return this.#notes
      .map(({ subject, words }) => `${subject} ${words}`.replaceAll(";", ","))
      .join("; ");
  }

  #change(words: string): void {
    const last = this.#notes.pop();
    if (last !== undefined) this.#notes.push({ ...last, words });
  }
}
