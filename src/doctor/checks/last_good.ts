// Whether the daemon had to begin with an older configuration (spec 17 section 8).
import { check, NEEDS_DAEMON } from "../check.ts";

export const LAST_GOOD = check({
  name: "last_good",
  about: "the configuration in force against the file",
  gather: ({ daemon }) =>
    daemon === undefined ? NEEDS_DAEMON : { problem: daemon.observer.last_good },
  decide: ({ problem }) =>
    problem === undefined
      ? undefined
      : {
          severity: "fault",
          found: "The last configuration that worked is in force, not that of the file.",
          effect: `What the file says has no effect, and changed plans are held: ${problem}`,
          fix: { run: ["varta-watch check", "varta-watch reload"] },
        },
});
