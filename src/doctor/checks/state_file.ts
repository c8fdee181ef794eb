// Whether the next daemon will know what this one knows (spec 18).
import { shellWord } from "../../base/shell_word.ts";
import { dirname } from "node:path";
import { check, NEEDS_DAEMON, NOT_ASKED } from "../check.ts";

export const STATE_FILE = check({
  name: "state_file",
  about: "whether the state file is kept, as the daemon says",
  gather: ({ daemon, unit }) => {
    const own = daemon?.own;
    if (own === undefined) return NEEDS_DAEMON;
    // An older daemon says nothing of it.
    if ((own.state ?? null) === null) return NOT_ASKED;
    return { ...own.state!, unit: unit?.name ?? "varta-watch" };
  },
  decide: ({ file, problem, unit }) =>
    problem === null
      ? undefined
      : {
          severity: "warning",
          found: `The state is not kept in ${file}: ${problem}.`,
          effect: "A restart forgets members, mutes and budgets, or has those of before.",
          fix: {
            words: `make room and rights in ${dirname(file)}, or set file in [state]; then systemctl restart ${shellWord(unit)}`,
          },
        },
});
