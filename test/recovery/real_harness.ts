// Recovery over real commands, with the test's own time: it may leap, so that no test waits for a
// timeout.
import { readFileSync } from "node:fs";
import { kill } from "../../ffi/process.ts";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { ProcessRunner } from "../../src/recovery/children/child_runner.ts";
import type { CompleteOutcome } from "../../src/events/outcome.ts";
import {
  type RecoveryHarness,
  type RecoveryHarnessOptions,
  recoveryHarness,
  until,
} from "./harness.ts";

const ESRCH = -3;

export interface RealHarness extends RecoveryHarness {
  nowNs(): number;
  /** Time passes. */
  leap(ns: number): void;
  /** Turns until every child has ended. */
  allEnded(): Promise<void>;
  completes(): CompleteOutcome[];
}

export function realHarness(
  config: RecoveryHarnessOptions["config"],
  options: Partial<RecoveryHarnessOptions> = {},
): RealHarness {
  let leapNs = 10 * NS_PER_S;
  const startMs = performance.now();
  const nowNs = () => leapNs + (performance.now() - startMs) * NS_PER_MS;
  const made = recoveryHarness({
    runner: new ProcessRunner(),
    ...options,
    config: { debounceNs: 0, ...config },
  });
  return {
    ...made,
    nowNs,
    leap: (ns) => {
      leapNs += ns;
    },
    async allEnded() {
      await until("all children to end", () => {
        made.recovery.reap(nowNs());
        return made.recovery.outstandingCount === 0;
      });
    },
    completes: () => made.outcomes.flatMap((one) => (one.kind === "complete" ? [one] : [])),
  };
}

/** True if nothing runs under `pid` any more; a zombie that waits for its parent does not run. */
export function isGone(pid: number): boolean {
  try {
    return /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return kill(pid, 0) === ESRCH;
  }
}

/** The pid that a command wrote into a file with a line feed; 0 = not yet. */
export function pidIn(path: string): number {
  try {
    const text = readFileSync(path, "utf8");
    return text.endsWith("\n") ? Number(text) : 0;
  } catch {
    return 0;
  }
}

/** What the kernel calls the program of a process; "" = there is no such process. */
export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trimEnd();
  } catch {
    return "";
  }
}

/** "R", "S", "T" (stopped), "Z", ...; "" = there is no such process. */
export function stateOf(pid: number): string {
  try {
    return /\) (\S) /.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1] ?? "";
  } catch {
    return "";
  }
}
