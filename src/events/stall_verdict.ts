// What the process of a silent member was doing when its stall was judged, with the evidence (spec
// 14 section 3): what log, export and alerts say of it.

export const STALL_VERDICTS = [
  "hung",
  "blocked",
  "stopped",
  "traced",
  "frozen",
  "zombie",
  "exited",
  "unknown",
] as const;
export type StallVerdictWord = (typeof STALL_VERDICTS)[number];

export interface StallVerdict {
  readonly verdict: StallVerdictWord;
  /** The service of systemd that it runs in, or ran in; "" = none, or that is not known. */
  readonly unit: string;
  /** The letter of /proc/PID/stat; "" = it was not looked at. */
  readonly procState: string;
  /** The kernel's function in which it waits; "" = it runs, or that is kept from us. */
  readonly wchan: string;
  /** Processor time that it has used, in ticks; NaN = unknown. */
  readonly cpuTicks: number;
  /** Pid of the debugger; 0 = none. */
  readonly tracerPid: number;
  /** How it ended, as wait(2) writes it; NaN = unknown, or it has not. */
  readonly waitStatus: number;
  /** The control groups that froze it, 0 = none; version 1 outlasts SIGKILL. */
  readonly freezerVersion: 0 | 1 | 2;
  /** Why it is not known, for "unknown"; else "". */
  readonly reason: string;
}

export const NOTHING_FOUND: Omit<StallVerdict, "verdict"> = {
  unit: "",
  procState: "",
  wchan: "",
  cpuTicks: Number.NaN,
  tracerPid: 0,
  waitStatus: Number.NaN,
  freezerVersion: 0,
  reason: "",
};

/** The process has ended, as was seen or is known otherwise. */
export function exitedVerdict(waitStatus: number, unit = ""): StallVerdict {
  return { ...NOTHING_FOUND, verdict: "exited", unit, waitStatus };
}

export function unknownVerdict(reason: string): StallVerdict {
  return { ...NOTHING_FOUND, verdict: "unknown", reason };
}
