// Whether a start by the file as it is now would go well.
import { check, NEEDS_ROOT } from "../check.ts";
import { counted } from "../words.ts";

export const CONFIGURATION = check({
  name: "configuration",
  about: "the configuration file against what `varta-watch check` wants of it",
  gather: ({ file, problems }) =>
    problems === undefined ? NEEDS_ROOT : { file: file ?? "the configuration", problems },
  decide: ({ file, problems: [first, ...others] }) => {
    if (first === undefined) return undefined;
    const count = counted(others.length + 1, "problem");
    return {
      severity: "fault",
      found: `${file} has ${count}: the next start would not take it.`,
      effect: `${first}${/[.!?]$/.test(first) ? "" : "."}`,
      fix: { run: ["varta-watch check"] },
    };
  },
});
