// Whether the daemon hears itself: a frame of its own goes round through each listener (spec 12
// section 9).
import { shellWord } from "../../base/shell_word.ts";
import { check, NEEDS_DAEMON } from "../check.ts";

export const SELF_BEAT = check({
  name: "self_beat",
  about: "whether a beat of the daemon itself came round in time at each listener",
  gather: ({ daemon, unit }) =>
    daemon === undefined
      ? NEEDS_DAEMON
      : { state: daemon.observer.self_beat?.state, unit: unit?.name ?? "varta-watch" },
  decide: ({ state, unit }) =>
    state !== "missing"
      ? undefined
      : {
          severity: "fault",
          found: "The daemon does not hear itself at one of its listeners.",
          effect: "Beats of agents may be lost there, too: those agents look silent.",
          fix: { run: [`journalctl -u ${shellWord(unit)} --since -1h -g "self-beat missing"`] },
        },
});
