// The services of the simulated machine. Which one a process runs in follows from its start time,
// so that nothing has to be kept; the main process of a service is the one of its members that
// started last.
import type { ProcessTable, SimulatedProcess } from "./process_table.ts";

/** The user that every service runs as; half of the agents run as another. */
export const UNIT_UID = 1_000;
export const LISTED_UNITS = ["worker@*.service"];

/** Undefined = it runs in no service. */
export function unitOf({ startTime }: SimulatedProcess): string | undefined {
  const number = startTime % 12;
  if (number < 2) return undefined;
  return number < 4 ? `worker@${number}.service` : `app${number}.service`;
}

export function isListed(unit: string): boolean {
  return unit.startsWith("worker@");
}

/** 0 = none runs. */
export function mainPidOf(processes: ProcessTable, unit: string): number {
  let main: SimulatedProcess | undefined;
  for (const process of processes.all()) {
    if (unitOf(process) !== unit) continue;
    if (main === undefined || process.startTime > main.startTime) main = process;
  }
  return main?.pid ?? 0;
}

/** What the service manager prints. */
export function factsText(processes: ProcessTable, unit: string): string {
  const mainPid = mainPidOf(processes, unit);
  return `User=app\nUID=${UNIT_UID}\nMainPID=${mainPid}\nExecMainPID=${mainPid}\n`;
}
