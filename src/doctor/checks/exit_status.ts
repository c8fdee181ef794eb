// Whether the kernel says how a process of others ended (spec 14 section 2).
import { release } from "node:os";
import { kernelTellsWaitStatus } from "../../../ffi/pidfd.ts";
import { check } from "../check.ts";

export const EXIT_STATUS = check({
  name: "exit_status",
  about: "what tells how a process ended",
  gather: () => ({ isTold: kernelTellsWaitStatus(), kernel: release() }),
  decide: ({ isTold, kernel }) =>
    isTold
      ? undefined
      : {
          severity: "advice",
          found: "The exit status of processes outside of units is not known here.",
          effect: `Kernel ${/^\d+\.\d+/.exec(kernel)?.[0] ?? kernel} tells it from 6.15 on. Their end is "unknown", not clean.`,
          fix: { words: "none on this kernel; run it as a unit, or set clean_exit" },
        },
});
