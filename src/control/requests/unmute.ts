// "unmute": a mute ends now (spec 16 section 8.1). What it held is decided in the next turn, so its
// answer comes a moment later where something was held.
import { matchesGlob } from "../../base/glob.ts";
import { RECOVERY_EVALUATIONS_PER_TURN_MAX } from "../../base/limits.ts";
import type { Pieces } from "../../base/pieces.ts";
import { NS_PER_MS } from "../../base/time.ts";
import type { UnmuteAnswer, UnmutedAgent } from "../../view/act_views.ts";
import type { EventReader } from "../../view/event_reader.ts";
import type { EventView } from "../../view/event_view.ts";
import { actPieces, oneOrAll } from "../act_answer.ts";
import {
  actor,
  answerLine,
  type Asker,
  type ControlSources,
  type Request,
  refusalPieces,
} from "../request.ts";
import { TARGET } from "../targets.ts";

/** Several turns, and still at once for who asked. */
const DECIDED_NS = 50 * NS_PER_MS;
/** A turn decides no more of them, and each of them has a few events. */
const EVENTS_MAX = 4 * RECOVERY_EVALUATIONS_PER_TURN_MAX;

export const UNMUTE: Request = {
  name: "unmute",
  right: "act",
  help: "end a mute before its time",
  args: {
    target: { ...TARGET, help: "as it was muted: agent, pid, `ADDRESS/PID` or pattern" },
    all: { is: "flag", help: "every mute, in the place of `target`" },
  },
  answer:
    "one line: `time`, and `unmuted`: `agent`, `state`, `left_ms`, `recovery`, the number of the one that has begun for it, `reported`, whether its stall is reported now, and `still`, the mute that still holds it",
  run(args, sources, asker) {
    const whom = oneOrAll(args);
    if ("error" in whom) return refusalPieces(whom);
    const answer = sources.acts.unmute(whom.target, actor(asker, sources));
    if ("error" in answer || !answer.unmuted.some(mayRecover)) return actPieces(answer);
    const began = sources.events.fromNow({ kinds: ["recovery"] }, () => {});
    return new DecidedPieces(answer, began, sources, asker);
  },
};

/** The answer when what was held is decided. */
class DecidedPieces implements Pieces {
  readonly #answer: UnmuteAnswer;
  readonly #began: EventReader;
  #isDecided = false;
  #isSent = false;
  #isGone = false;

  constructor(answer: UnmuteAnswer, began: EventReader, { later }: ControlSources, asker: Asker) {
    this.#answer = answer;
    this.#began = began;
    later(DECIDED_NS, () => {
      this.#isDecided = true;
      if (!this.#isGone) asker.wake();
    });
  }

  next(): string | null | undefined {
    if (this.#isSent) return undefined;
    if (!this.#isDecided) return null;
    this.#isSent = true;
    return answerLine(withRecoveries(this.#answer, this.#began));
  }

  end(): void {
    this.#isGone = true;
    this.#began.close();
  }
}

function mayRecover({ state, still }: UnmutedAgent): boolean {
  return state === "stalled" && still === null;
}

function withRecoveries(answer: UnmuteAnswer, reader: EventReader): UnmuteAnswer {
  const events = reader.read(EVENTS_MAX).map(({ event }) => event);
  const began = events.filter(({ recovery }) => recovery?.what === "began");
  const unmuted = answer.unmuted.map((one) => ({ ...one, recovery: recoveryOf(one, began) }));
  return { ...answer, unmuted };
}

/** Of several recoveries none is the one. */
function recoveryOf(one: UnmutedAgent, began: readonly EventView[]): number | null {
  if (!mayRecover(one)) return null;
  const own = began.filter(({ agent, pid }) =>
    one.pid === null ? matchesGlob(one.agent, agent) : one.pid === pid,
  );
  return own.length === 1 ? own[0]!.recovery!.id : null;
}
