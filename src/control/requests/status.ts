// "status": the agents with what their members come to (spec 16 section 4).
import { argFlag, argText, type Request } from "../request.ts";
import { StatusLine } from "../status_line.ts";

export const STATUS: Request = {
  name: "status",
  right: "read",
  help: "the state of all agents, or of those with a name",
  args: {
    agent: { is: "text", charsMax: 256, help: "name, or a pattern with * and ?" },
    stalled: { is: "flag", help: "only what is stalled, missing or critical" },
  },
  answer:
    "one line: `host`, `time`, `observer`, `counts` of agents by state, and `agents`, the worst first",
  run: (args, sources) =>
    new StatusLine(sources, {
      pattern: argText(args, "agent"),
      onlyBad: argFlag(args, "stalled"),
    }),
};
