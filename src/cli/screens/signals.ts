// How a process ended, in words: "killed by SIGSEGV (11)", "exit status 0".
import { constants } from "node:os";
import type { EndView, UnwatchedView } from "../../view/event_view.ts";
import type { Times } from "./times.ts";

const NAMES = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

export function endText({ exit_status, signal }: EndView): string {
  if (signal !== null) return `killed by ${NAMES.get(signal) ?? "signal"} (${signal})`;
  return exit_status === null ? "how it ended is not known" : `exit status ${exit_status}`;
}

/** When one ended that no daemon watched then. */
export function unwatchedText({ after, before }: UnwatchedView, times: Times): string {
  const between = `between ${times.exactly(after)} and ${times.exactly(before)}`;
  return `died while nobody watched, ${between}`;
}
