// "forget": what is silent leaves the table (spec 16 section 10).
import { actPieces } from "../act_answer.ts";
import { actor, argText, type Request } from "../request.ts";
import { TARGET } from "../targets.ts";

export const FORGET: Request = {
  name: "forget",
  right: "act",
  help: "take what is stalled out of the table; it comes back with a beat",
  args: { target: { ...TARGET, required: true, help: "agent, pid or `ADDRESS/PID`" } },
  answer:
    "one line: `name` as it was asked for, its `state`, and for how long it was silent, `for_ms`",
  run(args, sources, asker) {
    return actPieces(sources.acts.forget(argText(args, "target")!, actor(asker, sources)));
  },
};
