// "gates": what "recover" would find and do (spec 16 section 9). It does nothing, so it reads.
import { actPieces } from "../act_answer.ts";
import { argFlag, argText, type Request } from "../request.ts";
import { TARGET } from "../targets.ts";

export const GATES: Request = {
  name: "gates",
  right: "read",
  help: "what `recover` would find and do; nothing is done",
  args: {
    target: { ...TARGET, required: true, help: "agent, pid or `ADDRESS/PID`" },
    force: { is: "flag", help: "as if it was forced" },
  },
  answer:
    "one line: `agent`, `pid`, `stalled` members, `gates` with `gate`, `open`, `passed_over` and `found`, `refused` (the gate that is shut, or `null`), `steps` of its plan",
  run(args, { acts }) {
    const target = argText(args, "target")!;
    return actPieces(acts.tryRecover({ target, isForced: argFlag(args, "force") }));
  },
};
