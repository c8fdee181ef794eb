// Whether the daemon may send the signals of its plans: to a process of another user it needs
// CAP_KILL.
import { ProcReader } from "../../processes/proc_reader.ts";
import { UserNames } from "../../processes/user_names.ts";
import { check, leftOut, NEEDS_CONFIG, NEEDS_DAEMON } from "../check.ts";
import { agentsOf, planName, plansOf, stepsOf } from "../plans.ts";
import { CAP_KILL, effectiveCapabilities, hasCapability } from "../process_status.ts";
import { counted, dropIn, someOf } from "../words.ts";

export const SIGNALS = check({
  name: "signals",
  about: "the capabilities of the daemon against the `signal` steps of plans and their members",
  gather: ({ config, daemon, proc, unit }) => {
    if (config === undefined) return NEEDS_CONFIG;
    if (daemon === undefined) return NEEDS_DAEMON;
    const capabilities = effectiveCapabilities(proc, daemon.pid);
    if (capabilities === undefined) return leftOut("/proc of the daemon");
    const reader = new ProcReader(proc);
    const names = new UserNames();
    const refused = plansOf(config).flatMap(([plan, steps]) => {
      if (stepsOf(steps, "signal").length === 0) return [];
      const uids = agentsOf(daemon, plan)
        .flatMap(({ members }) => members)
        .filter(({ source }) => source === null)
        .map(({ pid }) => reader.realUid(pid))
        .filter((uid) => !Number.isNaN(uid) && uid !== daemon.uid);
      const users = [...new Set(uids)].map((uid) => names.nameOf(uid, 0));
      return uids.length === 0 ? [] : [{ plan, count: uids.length, users }];
    });
    return {
      refused: hasCapability(capabilities, CAP_KILL) ? [] : refused,
      unit: unit?.name ?? "varta-watch.service",
    };
  },
  decide: ({ refused: [first], unit }) =>
    first === undefined
      ? undefined
      : {
          severity: "warning",
          found: `${planName(first.plan)} may not signal ${counted(first.count, "member")}: the daemon has no CAP_KILL.`,
          effect: `They are processes of ${someOf(first.users)}. The step would be refused.`,
          fix: dropIn(
            unit,
            "CapabilityBoundingSet=CAP_SYS_PTRACE CAP_KILL",
            "AmbientCapabilities=CAP_SYS_PTRACE CAP_KILL",
          ),
        },
});
