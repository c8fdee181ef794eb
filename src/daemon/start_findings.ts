// What doctor finds at the start (spec 19 section 4): the two worst, for who reads nothing but the
// log. Only checks that take no time and ask nobody; what has a line of its own is not said twice.
import { effectiveUid } from "../../ffi/process.ts";
import { findUnit } from "../config/checks/unit_file.ts";
import type { Config } from "../config/config.ts";
import { findUser } from "../config/user_account.ts";
import { findingsOf, runChecks } from "../doctor/checks.ts";
import { SANDBOX } from "../doctor/checks/sandbox.ts";
import { WHO_CANNOT_SEND } from "../doctor/checks/socket_rights.ts";
import { SPACE } from "../doctor/checks/space.ts";
import { QUEUE_LENGTH } from "../doctor/checks/queue_length.ts";
import { MEMORY_LIMIT } from "../doctor/checks/memory_limit.ts";
import { DESCRIPTORS } from "../doctor/checks/descriptors.ts";
import { hiddenProcessesWarning } from "../processes/hidden_processes.ts";
import type { Place } from "../doctor/place.ts";
import type { Log } from "./log.ts";

const LINES_MAX = 2;
const CHECKS = [SANDBOX, QUEUE_LENGTH, WHO_CANNOT_SEND, MEMORY_LIMIT, DESCRIPTORS, SPACE];
const ACCOUNTS = { passwdFile: "/etc/passwd", groupFile: "/etc/group" } as const;

interface StartFindings {
  readonly log: Log;
  readonly config: Config;
  /** Undefined = there is none. */
  readonly file: string | undefined;
}

export async function logStartFindings(start: StartFindings): Promise<void> {
  const { log, config } = start;
  const hidden = hiddenProcessesWarning();
  if (hidden !== undefined) log.warn("processes hidden", { ...hidden });
  // Who has written no file has no units, users and members of which anything could be said.
  if (config.optionsAlone) return;
  const findings = findingsOf(await runChecks(ownPlace(start), CHECKS));
  const serious = findings.filter(({ severity }) => severity !== "advice");
  for (const { severity, found } of serious.slice(0, LINES_MAX))
    log.warn("doctor finding", { severity, found, fix: "varta-watch doctor" });
}

/** As doctor would see it beside a daemon that watches nobody yet. */
function ownPlace({ config, file }: StartFindings): Place {
  const uid = effectiveUid();
  return {
    config,
    file,
    problems: [],
    user: findUser(`${uid}`, ACCOUNTS)!,
    unit: findUnit(file),
    isRoot: uid === 0,
    daemon: {
      pid: process.pid,
      uid,
      observer: { state: "ok", up_s: 0, paused_last: null },
      agents: [],
    },
    silence: undefined,
    unitDirectories: undefined,
    ...ACCOUNTS,
    prometheus: undefined,
    proc: "/proc",
    sys: "/sys",
  };
}
