// Whether anybody watches at all.
import { shellWord } from "../../base/shell_word.ts";
import { check, type Finding, leftOut } from "../check.ts";
import type { Silence } from "../place.ts";

export const DAEMON = check({
  name: "daemon",
  about: "an answer at the control socket",
  gather: ({ silence, unit }) =>
    silence?.isRefusal === true
      ? leftOut("root, or the group of the control socket")
      : { silence, unit: unit?.name },
  decide: ({ silence, unit }) =>
    silence === undefined
      ? undefined
      : {
          severity: "fault",
          found: `${silence.error[0]!.toUpperCase()}${silence.error.slice(1)}.`,
          effect: "What only the daemon knows was not checked; perhaps nothing is watched.",
          fix: fixOf(silence, unit),
        },
});

function fixOf({ isDown, hint }: Silence, unit: string | undefined): Finding["fix"] {
  if (isDown && unit !== undefined)
    return { run: [`systemctl start ${shellWord(unit)}`, `systemctl status ${shellWord(unit)}`] };
  // A hint may have words around its command.
  return hint === ""
    ? { run: [`systemctl status ${shellWord(unit ?? "varta-watch")}`] }
    : { words: hint };
}
