// What speaks for the observer's own fault when many fall silent (spec 12 section 10): queues that
// were found full, beats of its own that were refused one after the other, an output that nobody
// reads. Counts are read, nothing is measured: once a second, and more often while the guard is
// active.
import { NS_PER_S } from "../base/time.ts";
import type { Listener } from "../listener/listener.ts";
import type { Guard } from "../observer/guard.ts";
import type { SelfBeats } from "../observer/self_beats.ts";
import type { Deadline } from "./deadline.ts";
import type { Parts } from "./parts.ts";
import type { StreamWriter } from "./stream_writer.ts";

const PERIOD_NS = NS_PER_S;

interface GuardEvidenceOptions {
  readonly guard: Pick<Guard, "saw" | "lookPeriodNs">;
  readonly listeners: () => readonly Pick<Listener, "queueFull" | "kernelDrops">[];
  readonly selfBeats: Pick<SelfBeats, "refusedAgain">;
  /** Where the journal or a shipper reads, as it does for the agents. */
  readonly outputs: readonly Pick<StreamWriter, "isStuck">[];
}

/** Undefined = there is no guard. */
export function makeGuardEvidence(
  parts: Pick<Parts, "observer" | "selfBeats" | "stdout" | "stderr">,
): GuardEvidence | undefined {
  const { observer, selfBeats, stdout, stderr } = parts;
  const guard = observer.silence.guarded?.guard;
  if (guard === undefined) return undefined;
  const outputs = [stdout, stderr];
  return new GuardEvidence({ guard, listeners: () => observer.listeners, selfBeats, outputs });
}

export class GuardEvidence implements Deadline {
  readonly #options: GuardEvidenceOptions;
  #lookedNs = 0;
  #full = 0;
  #refusedAgain = 0;

  constructor(options: GuardEvidenceOptions) {
    this.#options = options;
  }

  /** While the guard is not active nobody waits for it: the turns that happen anyway are enough. */
  nextDeadlineNs(): number {
    return this.#lookedNs + this.#options.guard.lookPeriodNs;
  }

  maintain(nowNs: number): void {
    if (nowNs < Math.min(this.#lookedNs + PERIOD_NS, this.nextDeadlineNs())) return;
    this.#lookedNs = nowNs;
    const { guard, outputs, selfBeats } = this.#options;
    // The last one that is seen is the cause that is told: what says most comes last.
    if (outputs.some(({ isStuck }) => isStuck)) guard.saw("full_pipe", nowNs);
    const full = this.#fullCount();
    if (full > this.#full) guard.saw("queue_full", nowNs);
    this.#full = full;
    const { refusedAgain } = selfBeats;
    if (refusedAgain > this.#refusedAgain) guard.saw("refused_sends", nowNs);
    this.#refusedAgain = refusedAgain;
  }

  /** Times that a queue was found full, and datagrams that one had no room for. */
  #fullCount(): number {
    let count = 0;
    for (const { queueFull = 0, kernelDrops = 0 } of this.#options.listeners())
      count += queueFull + kernelDrops;
    return count;
  }
}
