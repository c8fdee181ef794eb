// "mute": nothing of an agent is reported or recovered until a time (spec 16 section 8).
import { NS_PER_MS } from "../../base/time.ts";
import { MUTE_NS_MAX } from "../../base/limits.ts";
import { actPieces, oneOrAll } from "../act_answer.ts";
import { actor, argNumber, argText, type Request, refusalPieces } from "../request.ts";
import { TARGET } from "../targets.ts";

export const MUTE: Request = {
  name: "mute",
  right: "act",
  help: "judge, show and count as before, and recover nothing until a time",
  args: {
    target: { ...TARGET, help: "agent, pid, `ADDRESS/PID`, or a pattern with * and ?" },
    all: { is: "flag", help: "every agent, in the place of `target`" },
    for: { is: "duration", msMax: MUTE_NS_MAX / NS_PER_MS, required: true, help: "until its end" },
    reason: { is: "text", charsMax: 120, help: "why, for who reads `mutes`" },
  },
  answer:
    "one line: `time`, and `mutes` with the one that has begun: `agent`, `state`, `since`, `until`, `by`, `reason`",
  run(args, sources, asker) {
    const whom = oneOrAll(args);
    if ("error" in whom) return refusalPieces(whom);
    const { target } = whom;
    const forNs = argNumber(args, "for")! * NS_PER_MS;
    const reason = argText(args, "reason") ?? "";
    return actPieces(sources.acts.mute({ target, forNs, reason }, actor(asker, sources)));
  },
};
