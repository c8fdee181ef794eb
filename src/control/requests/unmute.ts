// "unmute": a mute ends now (spec 16 section 8.1).
import { actPieces, oneOrAll } from "../act_answer.ts";
import { actor, type Request, refusalPieces } from "../request.ts";
import { TARGET } from "../targets.ts";

export const UNMUTE: Request = {
  name: "unmute",
  right: "act",
  help: "end a mute before its time",
  args: {
    target: { ...TARGET, help: "as it was muted: agent, pid, `ADDRESS/PID` or pattern" },
    all: { is: "flag", help: "every mute, in the place of `target`" },
  },
  answer:
    "one line: `time`, and `unmuted`: `agent`, `state`, `left_ms`, and `still`, the mute that still holds it",
  run(args, sources, asker) {
    const whom = oneOrAll(args);
    if ("error" in whom) return refusalPieces(whom);
    return actPieces(sources.acts.unmute(whom.target, actor(asker, sources)));
  },
};
