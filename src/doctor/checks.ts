// All checks in the order of importance: what loses beats or verdicts, then what loses recoveries,
// then what loses alerts, then comfort.
import { type Check, type Finding, type Result, SEVERITIES } from "./check.ts";
import { ALERTS } from "./checks/alerts.ts";
import { CAPACITY } from "./checks/capacity.ts";
import { CLOCK_SOURCE, KERNEL_CLOCK, TIME_SYNC } from "./checks/clocks.ts";
import { CONFIGURATION } from "./checks/configuration.ts";
import { DAEMON } from "./checks/daemon.ts";
import { DESCRIPTORS } from "./checks/descriptors.ts";
import { EXIT_STATUS } from "./checks/exit_status.ts";
import { GUARD } from "./checks/guard.ts";
import { HIDDEN_PROCESSES } from "./checks/hidden_processes.ts";
import { LAST_GOOD } from "./checks/last_good.ts";
import { MEMORY_LIMIT } from "./checks/memory_limit.ts";
import { PAUSES } from "./checks/pauses.ts";
import { POLKIT } from "./checks/polkit.ts";
import { QUEUE_LENGTH } from "./checks/queue_length.ts";
import { REFUSED_BEATS } from "./checks/refused_beats.ts";
import { IDLE_RULES, UNNAMED_AGENTS } from "./checks/rules.ts";
import { SANDBOX } from "./checks/sandbox.ts";
import { SELF_BEAT } from "./checks/self_beat.ts";
import { SIGNALS } from "./checks/signals.ts";
import { SOCKET_PATH } from "./checks/socket_path.ts";
import { WHO_CANNOT_SEND, WHO_MAY_SEND } from "./checks/socket_rights.ts";
import { SPACE } from "./checks/space.ts";
import { STATE_FILE } from "./checks/state_file.ts";
import { WATCHDOGS } from "./checks/watchdogs.ts";
import type { Place } from "./place.ts";

export const CHECKS: readonly Check[] = [
  DAEMON,
  LAST_GOOD,
  CONFIGURATION,
  SOCKET_PATH,
  SELF_BEAT,
  SANDBOX,
  QUEUE_LENGTH,
  WHO_CANNOT_SEND,
  REFUSED_BEATS,
  CAPACITY,
  MEMORY_LIMIT,
  PAUSES,
  STATE_FILE,
  GUARD,
  WATCHDOGS,
  DESCRIPTORS,
  HIDDEN_PROCESSES,
  SIGNALS,
  POLKIT,
  ALERTS,
  SPACE,
  EXIT_STATUS,
  UNNAMED_AGENTS,
  IDLE_RULES,
  WHO_MAY_SEND,
  CLOCK_SOURCE,
  KERNEL_CLOCK,
  TIME_SYNC,
];

/** One after the other: none is to make the machine busy. */
export async function runChecks(place: Place, checks = CHECKS): Promise<Result[]> {
  const results: Result[] = [];
  for (const one of checks) results.push(await one.run(place));
  return results;
}

/** The worst first; of one kind as the checks stand. */
export function findingsOf(results: readonly Result[]): Finding[] {
  const found = results.flatMap((one) => (one.result === "found" ? [one.finding] : []));
  return SEVERITIES.flatMap((kind) => found.filter(({ severity }) => severity === kind));
}
