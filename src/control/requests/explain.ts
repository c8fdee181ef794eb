// "explain": why an agent, a member or a process is as it is (spec 16 section 12). Where a rule
// stands in its file is read when somebody asks, so the answer may come a turn later.
import { laterPieces } from "../later_pieces.ts";
import { answerLine, argText, type Request } from "../request.ts";

export const EXPLAIN: Request = {
  name: "explain",
  right: "read",
  help: "why an agent, a member or a process is as it is, and what comes next",
  args: {
    target: {
      is: "text",
      charsMax: 256,
      required: true,
      help: "name of an agent, pid, or ADDRESS/PID of a remote member",
    },
  },
  answer:
    "one line: of an agent or a member the facts of section 12; of a process that has never beaten `runs`, who it is and the agent that it would be",
  run: (args, { explain }, { wake }) =>
    laterPieces(explain(argText(args, "target")!).then(answerLine), wake),
};
