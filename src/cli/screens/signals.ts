// How a process ended, in words: "killed by SIGSEGV (11)", "exit status 0".
import { constants } from "node:os";
import type { EndView } from "../../view/event_view.ts";

const NAMES = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

export function endText({ exit_status, signal }: EndView): string {
  if (signal !== null) return `killed by ${NAMES.get(signal) ?? "signal"} (${signal})`;
  return exit_status === null ? "how it ended is not known" : `exit status ${exit_status}`;
}
