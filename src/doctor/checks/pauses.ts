// The last time in which the daemon could hear nobody (spec 12 section 8).
import { check, NEEDS_DAEMON } from "../check.ts";

export const PAUSES = check({
  name: "pauses",
  about: "pauses of the observer in the last ten minutes",
  gather: ({ daemon }) =>
    daemon === undefined ? NEEDS_DAEMON : { pause: daemon.observer.paused_last },
  decide: ({ pause }) =>
    pause === null
      ? undefined
      : {
          severity: "warning",
          found: `The observer was paused for ${pause.length_ms}ms at ${pause.time}.`,
          effect: `Nothing was judged in that time${pause.cause === undefined ? "" : ` (${pause.cause})`}; deadlines were moved by it.`,
          fix: { run: ["varta-watch events --kind observer_paused"] },
        },
});
