// Whether the kernel says how a process of others ended (spec 14 section 2).
import { release } from "node:os";
import { kernelTellsWaitStatus } from "../../../ffi/pidfd.ts";
import { check, type Finding } from "../check.ts";

export const EXIT_STATUS = check({
  name: "exit_status",
  about: "what tells how a process ended",
  gather: () => ({ isTold: kernelTellsWaitStatus(), kernel: release() }),
  decide: exitStatusFinding,
});

interface ExitStatusFacts {
  readonly isTold: boolean;
  /** "6.12.48+deb13-amd64" */
  readonly kernel: string;
}

export function exitStatusFinding({ isTold, kernel }: ExitStatusFacts): Finding | undefined {
  if (isTold) return undefined;
  const version = /^\d+\.\d+/.exec(kernel)?.[0] ?? kernel;
  return {
    severity: "advice",
    found: "The exit status of processes outside of units is not known here.",
    effect: `Kernel ${version} tells it from 6.15 on. Their end is "unknown", not clean.`,
    fix: { words: "none on this kernel; run it as a unit, or set clean_exit" },
  };
}
