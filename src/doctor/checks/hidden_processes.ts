// Whether the daemon sees the processes of other users.
import { hiddenProcessesWarning } from "../../processes/hidden_processes.ts";
import { check, NEEDS_DAEMON, NEEDS_ROOT } from "../check.ts";
import { recovers } from "../plans.ts";
import { dropIn } from "../words.ts";
import { existsSync, readFileSync } from "node:fs";

export const HIDDEN_PROCESSES = check({
  name: "hidden_processes",
  about: "/proc as the daemon sees it",
  gather: ({ daemon, proc, config, unit }) => {
    if (daemon === undefined) return NEEDS_DAEMON;
    if (!mayRead(`${proc}/${daemon.pid}/mountinfo`)) return NEEDS_ROOT;
    const hidden = hiddenProcessesWarning(proc, `${daemon.pid}`);
    return {
      reason: hidden?.reason,
      acts: config !== undefined && recovers(config),
      unit: unit?.name ?? "varta-watch.service",
    };
  },
  decide: ({ reason, acts, unit }) =>
    reason === undefined
      ? undefined
      : {
          severity: acts ? "fault" : "warning",
          found: `For the daemon ${reason}.`,
          effect: "Their agents are watched, and never recovered.",
          fix: dropIn(
            unit,
            "ProtectProc=default",
            "CapabilityBoundingSet=CAP_SYS_PTRACE",
            "AmbientCapabilities=CAP_SYS_PTRACE",
          ),
        },
});

function mayRead(path: string): boolean {
  if (!existsSync(path)) return false;
  try {
    readFileSync(path);
    return true;
  } catch {
    return false;
  }
}
