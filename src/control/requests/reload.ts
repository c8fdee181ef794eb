// "reload": the file is read again and taken over, or only tried (spec 17). Its first line comes at
// once, so that who asks knows that the daemon lives; the other one when it is over.
import type { Pieces } from "../../base/pieces.ts";
import { laterPieces } from "../later_pieces.ts";
import { actor, answerLine, argFlag, type Request } from "../request.ts";

export const RELOAD: Request = {
  name: "reload",
  right: "act",
  help: "read the configuration file again and take it over, whole or not at all",
  args: { dry_run: { is: "flag", help: "say what would change, and change nothing" } },
  answer:
    "a line with `begun` at once; then one with `file`, `applied`, `changes`, each with what it means for members, and `problems`, each with its place",
  run(args, sources, asker) {
    const isDry = argFlag(args, "dry_run");
    const answer = sources.reload(isDry, actor(asker, sources)).then(answerLine);
    return after(answerLine({ begun: true }), laterPieces(answer, asker.wake));
  },
};

/** `rest` with a line before it. */
function after(line: string, rest: Pieces): Pieces {
  let isSent = false;
  return {
    next() {
      if (isSent) return rest.next();
      isSent = true;
      return line;
    },
    end: () => rest.end?.(),
  };
}
