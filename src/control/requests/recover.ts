// "recover": a recovery that somebody asks for (spec 16 section 9). Its answer goes on until the
// recovery is over, a line for each thing that it does, unless who asks does not wait.
import type { Pieces } from "../../base/pieces.ts";
import type { RecoveryBegun } from "../../view/act_views.ts";
import type { EventReader } from "../../view/event_reader.ts";
import type { EventView } from "../../view/event_view.ts";
import { actPieces } from "../act_answer.ts";
import {
  actor,
  answerLine,
  argFlag,
  argText,
  type Asker,
  type ControlSources,
  type Request,
} from "../request.ts";
import { TARGET } from "../targets.ts";

export const RECOVER: Request = {
  name: "recover",
  right: "act",
  help: "begin a recovery now, through the gates that protect others",
  args: {
    target: { ...TARGET, required: true, help: "agent, pid or `ADDRESS/PID`" },
    force: { is: "flag", help: "also of one that is not stalled" },
    no_wait: { is: "flag", help: "answer when it has begun, and do not wait for its end" },
  },
  answer:
    "a line with `id`, `agent`, `pid`, `by`, `plan`, `steps` and `passed_over`; then, until it is over, one per event, as the kind `recovery` has it",
  run(args, sources, asker) {
    const { acts } = sources;
    const request = { target: argText(args, "target")!, isForced: argFlag(args, "force") };
    if (argFlag(args, "no_wait")) return actPieces(acts.recover(request, actor(asker, sources)));
    // Before it begins: its first steps are done at once.
    const heard = new RecoveryEvents(sources, asker);
    const answer = acts.recover(request, actor(asker, sources));
    if ("error" in answer) {
      heard.end();
      return actPieces(answer);
    }
    heard.begin(answer);
    return heard;
  },
};

/** The line that it has begun, and then its events up to the last word. */
class RecoveryEvents implements Pieces {
  readonly #reader: EventReader;
  #head = "";
  #pid = Number.NaN;
  /** 0 = it waits for the service manager, and has no number yet. */
  #id = 0;
  #isOver = false;

  constructor(sources: ControlSources, asker: Asker) {
    this.#reader = sources.events.fromNow({ kinds: ["recovery"] }, () => asker.wake());
  }

  begin(begun: RecoveryBegun): void {
    this.#head = answerLine(begun);
    this.#pid = begun.pid;
    this.#id = begun.id;
  }

  next(): string | null | undefined {
    const head = this.#head;
    this.#head = "";
    if (head !== "" || this.#isOver) return head === "" ? undefined : head;
    // Its last word may be among those that are lost.
    this.#isOver = this.#reader.takeLost() > 0;
    if (this.#isOver) return undefined;
    const event = this.#reader.read(1)[0]?.event;
    if (event === undefined) return this.#reader.hasAll ? null : "";
    if (!this.#isMeant(event)) return "";
    this.#id = event.recovery!.id;
    this.#isOver = isLastWord(event);
    return answerLine(event);
  }

  end(): void {
    this.#reader.close();
  }

  #isMeant({ pid, recovery }: EventView): boolean {
    if (recovery === undefined || pid !== this.#pid) return false;
    return this.#id === 0 || recovery.id === this.#id;
  }
}

/** Of a recovery that began, and of one that did not: it was refused when its turn came. */
function isLastWord({ recovery }: EventView): boolean {
  const { id, what, step } = recovery!;
  if (what === "helped" || what === "not_helped") return true;
  return (what === "done" && step === undefined) || (id === 0 && what === "refused");
}
