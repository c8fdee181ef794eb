// What systemd says of a unit, and what follows from it for a process that ended in it (spec 14
// sections 2.1 and 4): pure decisions. Times are of CLOCK_MONOTONIC in microseconds, as systemd
// writes them; 0 = it has not happened.
import { type Message, type Property, readProperties } from "./dbus_message.ts";

export interface UnitState {
  /** "active", "deactivating", "failed". */
  readonly activeState: string;
  /** When it last ceased to be active: because it was stopped, or because its process ended. */
  readonly activeExitUs: number;
  /** The main process that runs or ran last; 0 = none did. */
  readonly mainPid: number;
  readonly mainStartUs: number;
  readonly mainExitUs: number;
  /** A CLD_ code: how it ended; 0 = it has not. */
  readonly mainCode: number;
  /** What it said to exit(2), or the signal that ended it. */
  readonly mainStatus: number;
  /** "success", "exit-code", "watchdog". */
  readonly result: string;
  /** How often systemd started it again by itself since somebody started it. */
  readonly restarts: number;
}

/** A process that ended in the unit. */
export interface EndInUnit {
  readonly pid: number;
  /** Not after this it started, and not after that it ended. */
  readonly startedUs: number;
  readonly endedUs: number;
}

const CLD_EXITED = 1;
const CLD_KILLED = 2;
const CLD_DUMPED = 3;
/** In a wait status: with a core file. */
const CORE_DUMPED = 0x80;
/** systemd and the daemon see an end one before the other, and start times have ticks of 10 ms. */
const TOLERANCE_US = 100_000;
/** systemd stopped it because it was at fault, not because it was told to. */
const FORCED_RESULTS: readonly string[] = ["watchdog", "oom-kill"];

const NAMES: ReadonlySet<string> = new Set([
  ...["ActiveState", "ActiveExitTimestampMonotonic", "NRestarts", "Result"],
  ...["ExecMainPID", "ExecMainCode", "ExecMainStatus"],
  ...["ExecMainStartTimestampMonotonic", "ExecMainExitTimestampMonotonic"],
]);

/** Undefined = this is no such answer. */
export function readUnitState({ signature, body }: Message): UnitState | undefined {
  const found = signature === "a{sv}" ? readProperties(body, NAMES) : undefined;
  if (found === undefined || !found.has("ExecMainPID")) return undefined;
  return {
    activeState: textOf(found.get("ActiveState")),
    activeExitUs: numberOf(found.get("ActiveExitTimestampMonotonic")),
    mainPid: numberOf(found.get("ExecMainPID")),
    mainStartUs: numberOf(found.get("ExecMainStartTimestampMonotonic")),
    mainExitUs: numberOf(found.get("ExecMainExitTimestampMonotonic")),
    mainCode: numberOf(found.get("ExecMainCode")),
    mainStatus: numberOf(found.get("ExecMainStatus")),
    result: textOf(found.get("Result")),
    restarts: numberOf(found.get("NRestarts")),
  };
}

/** The object of a unit. */
export function unitPath(unit: string): string {
  const escaped = unit.replace(
    /^[0-9]|[^A-Za-z0-9]/g,
    (character) => `_${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  return `/org/freedesktop/systemd1/unit/${escaped}`;
}

/** It is the main process, and systemd has not looked yet: a moment later it has. */
export function isTooSoon({ mainPid, mainCode }: UnitState, { pid }: EndInUnit): boolean {
  return mainPid === pid && mainCode === 0;
}

/** As wait(2) writes it; NaN = it is not known. */
export function waitStatusIn(state: UnitState, { pid, startedUs }: EndInUnit): number {
  const { mainPid, mainCode, mainStatus, mainExitUs } = state;
  if (mainPid !== pid || mainExitUs < startedUs) return Number.NaN;
  if (mainCode === CLD_EXITED && isWithin(mainStatus, 0, 255)) return mainStatus << 8;
  if (!isWithin(mainStatus, 1, 64)) return Number.NaN;
  if (mainCode === CLD_KILLED) return mainStatus;
  return mainCode === CLD_DUMPED ? mainStatus | CORE_DUMPED : Number.NaN;
}

/**
 * The process ended because the unit was told to stop, or to start again. By the time of the answer
 * that is often over, so it is read from when things happened: a unit whose main process ends by
 * itself ceases to be active after that, and one that is stopped before.
 */
export function wasStopped(state: UnitState, { startedUs, endedUs }: EndInUnit): boolean {
  const { activeState, activeExitUs, mainStartUs, mainExitUs, mainCode, result } = state;
  const isOfNextStart =
    mainStartUs > startedUs + TOLERANCE_US && mainStartUs >= endedUs - TOLERANCE_US;
  // systemd counts its own restarts, and begins anew when it is told to start the unit.
  // It sends the signals first, and writes then that the unit ceased to be active.
  const ceasedInItsLife = activeExitUs >= startedUs && activeExitUs <= endedUs + TOLERANCE_US;
  if (isOfNextStart) return state.restarts === 0 && ceasedInItsLife;
  if (activeState === "active" || activeState === "reloading") return false;
  if (FORCED_RESULTS.includes(result)) return false;
  if (!ceasedInItsLife || activeExitUs < mainStartUs) return false;
  return mainCode === 0 || activeExitUs < mainExitUs;
}

function isWithin(value: number, min: number, max: number): boolean {
  return value >= min && value <= max;
}

function numberOf(value: Property | undefined): number {
  return typeof value === "number" ? value : 0;
}

function textOf(value: Property | undefined): string {
  return typeof value === "string" ? value : "";
}
