// Whether anybody watches at all.
import { check, leftOut } from "../check.ts";

export const DAEMON = check({
  name: "daemon",
  about: "an answer at the control socket",
  gather: ({ silence, unit }) =>
    silence?.isRefusal === true
      ? leftOut("root, or the group of the control socket")
      : { silence, unit: unit?.name ?? "varta-watch" },
  decide: ({ silence, unit }) =>
    silence === undefined
      ? undefined
      : {
          severity: "fault",
          found: `${silence.error[0]!.toUpperCase()}${silence.error.slice(1)}.`,
          effect: "What only the daemon knows was not checked; perhaps nothing is watched.",
          // A hint may have words around its command.
          fix:
            silence.hint === "" ? { run: [`systemctl status ${unit}`] } : { words: silence.hint },
        },
});
