// What was done about a stall and what comes next, for `explain` (spec 16 section 12).
import type { Mute } from "../agents/mutes.ts";
import { ORIGIN_KERNEL_ATTESTED } from "../base/origin.ts";
import { msFromNs, NS_PER_MS } from "../base/time.ts";
import type { Config } from "../config/config.ts";
import type { Stall } from "../events/stall.ts";
import type { GuardView } from "../observer/guard.ts";
import type { Gate, GateWord } from "../recovery/hand_gates.ts";
import { plannedStep } from "../recovery/plan.ts";
import type { Recovery } from "../recovery/recovery.ts";
import {
  PHASE_RUNNING,
  PHASE_VERIFYING,
  PHASE_WAITING,
  type Sequence,
} from "../recovery/sequence.ts";
import type { EventView, RecoveryEvent } from "../view/event_view.ts";
import type { DoneRow, NextRow } from "../view/explain_view.ts";
import type { StallNote } from "../view/stall_notes.ts";

/** What is possible again when a gate opens. */
const PACE_ROWS: Readonly<Partial<Record<GateWord, "budget" | "storm_room" | "retry">>> = {
  gave_up: "budget",
  storm_limit: "storm_room",
  backing_off: "retry",
  debounced: "retry",
};

type Time = (observerNs: number) => string;

/** The oldest first. `history` is that of its agent, the newest first. */
export function doneRows(
  note: StallNote,
  history: readonly EventView[],
  config: Config["recovery"],
  time: Time,
): DoneRow[] {
  const rows: DoneRow[] = [];
  for (const { observerNs, recovery } of note.done)
    addRow(rows, recovery, time(observerNs), config);
  if (rows.length === 0) {
    if (Number.isNaN(note.reportedNs)) return [];
    return [{ what: "reported", time: time(note.reportedNs), as: "stall" }];
  }
  const last = rows.at(-1)!;
  return last.what === "refused" && last.reason === "gave_up"
    ? [...rows, ...helpedRows(history, last.window_ms ?? 0, Date.parse(last.time))]
    : rows;
}

function addRow(
  rows: DoneRow[],
  recovery: RecoveryEvent,
  time: string,
  config: Config["recovery"],
): void {
  const { id, what, plan = "", step = 0, steps = 0, kind, target = "", result = "" } = recovery;
  const { took_ms = 0, why = "", reason = "" } = recovery;
  switch (what) {
    case "began":
      rows.push({ what, time, id, plan, steps });
      return;
    case "step":
      endWait(rows);
      rows.push({ what, time, step, action: target, result, ...(kind && { kind }) });
      return;
    case "done":
      if (step === 0) rows.push({ what: "over", time, id, took_ms, why });
      else endStep(rows, step, result, took_ms);
      return;
    case "helped":
    case "not_helped": {
      const row = { time, id, took_ms };
      rows.push(what === "helped" ? { what, ...row } : { what, ...row, why });
      return;
    }
    case "interrupted":
      rows.push({ what, time, id, took_ms, why });
      return;
    case "refused":
    case "held": {
      const { used, limit, window_ms } = recovery;
      const storm = { used: config.stormLimit, limit: config.stormLimit };
      const window = { window_ms: config.stormWindowNs / NS_PER_MS };
      const figures =
        reason === "storm_limit"
          ? { ...storm, ...window }
          : limit === undefined
            ? {}
            : { used: used!, limit, window_ms: window_ms! };
      rows.push({
        ...{ what, time, reason, ...figures },
        ...(why === "" ? {} : { why }),
        ...(step > 0 ? { step } : {}),
      });
      return;
    }
    default:
      what satisfies never;
  }
}

/** A wait that another step follows was in vain. */
function endWait(rows: DoneRow[]): void {
  const last = rows.at(-1);
  if (last?.what === "step" && last.kind === "wait")
    rows[rows.length - 1] = { ...last, result: "no beat" };
}

/** What became of a step stands in its own row. */
function endStep(rows: DoneRow[], step: number, result: string, took_ms: number): void {
  const at = rows.findLastIndex((row) => row.what === "step" && row.step === step);
  const row = rows[at];
  if (row?.what === "step") rows[at] = { ...row, result, took_ms };
}

/** Those that helped within the window of a budget that is used up. */
function helpedRows(history: readonly EventView[], windowMs: number, nowMs: number): DoneRow[] {
  return history.toReversed().flatMap(({ time, recovery }): DoneRow[] => {
    if (recovery?.what !== "helped" || nowMs - Date.parse(time) > windowMs) return [];
    return [{ what: "helped", time, id: recovery.id, took_ms: recovery.took_ms ?? 0 }];
  });
}

interface NextOptions {
  readonly recovery: Pick<Recovery, "planOf" | "gatesOf" | "runningOf">;
  readonly forgetAfterNs: number;
  /** Undefined = the guard is not active, or it does not matter to this one. */
  readonly guard: GuardView | undefined;
  readonly time: Time;
}

/** Of one that is not stalled. */
export function nextOfBeating(deadlineNs: number, mute: Mute | undefined, time: Time): NextRow[] {
  const deadline: NextRow[] = Number.isFinite(deadlineNs)
    ? [{ what: "deadline", time: time(deadlineNs) }]
    : [];
  return mute === undefined
    ? deadline
    : [...deadline, { what: "mute_ends", time: time(mute.untilNs) }];
}

/** Of one whose threshold is over, and that is not judged; or whose recovery waits with it. */
export function nextOfGuarded(
  holds: "verdict" | "recovery",
  { untilNs, silent, members, windowNs }: GuardView,
  time: Time,
): NextRow {
  const figures = { silent, members, window_ms: msFromNs(windowNs) };
  return { what: "guard_ends", time: time(untilNs), holds, ...figures };
}

export function nextOfStalled(
  stall: Stall,
  note: StallNote | undefined,
  mute: Mute | undefined,
  { recovery, forgetAfterNs, guard, time }: NextOptions,
): NextRow[] {
  const next: NextRow[] = [];
  const plan = recovery.planOf(stall);
  const gates = plan.isEmpty ? [] : recovery.gatesOf(stall, stall.observerNs);
  const running = recovery.runningOf(stall.key);
  if (running !== undefined) next.push(...nextOfRunning(running, gates, time));
  if (mute !== undefined) next.push({ what: "mute_ends", time: time(mute.untilNs) });
  else if (running === undefined && !plan.isEmpty && guard !== undefined)
    next.push(nextOfGuarded("recovery", guard, time));
  else if (running === undefined && !plan.isEmpty) {
    const shut = gates.filter(({ isOpen }) => !isOpen);
    // What another gate refuses does not come when its pace allows it.
    if (shut.every(({ isPace }) => isPace))
      next.push(...nextOfPace(shut, plan.settings.retry, note, time));
  }
  if (stall.origin !== ORIGIN_KERNEL_ATTESTED)
    next.push({ what: "forgotten", after_ms: msFromNs(forgetAfterNs) });
  return next;
}

function nextOfPace(
  shut: readonly Gate[],
  retries: boolean,
  note: StallNote | undefined,
  time: Time,
): NextRow[] {
  const rows = shut.flatMap(({ gate, untilNs }): NextRow[] => {
    const what = PACE_ROWS[gate];
    if (what === undefined || untilNs === undefined || !(retries || what === "budget")) return [];
    return [{ what, time: time(untilNs) }];
  });
  // It is decided once, when it stalls; a decision may still be on its way.
  const isDecided = note !== undefined && (note.isDecided || note.done.length > 0);
  if (!retries && isDecided && rows.length === 0) rows.push({ what: "by_hand" });
  return rows;
}

function nextOfRunning(
  {
    phase,
    child,
    plan,
    deadlineNs,
    verifyEndNs,
    stepNumber,
    currentStep,
    nextStep,
    unit,
  }: Readonly<Sequence>,
  gates: readonly Gate[],
  time: Time,
): NextRow[] {
  const { verifyWithinNs, timeoutNs } = plan.settings;
  if (phase === PHASE_VERIFYING)
    return [{ what: "verified", time: time(verifyEndNs), unit: unit?.name ?? "" }];
  if (phase === PHASE_WAITING && nextStep !== undefined) {
    const { step: kind, detail: target } = plannedStep(nextStep);
    return [{ what: "step_begins", time: time(deadlineNs), step: stepNumber + 1, kind, target }];
  }
  if (phase !== PHASE_RUNNING || child === undefined) return [];
  if (timeoutNs === undefined) return [];
  const figures = gates.find(({ gate }) => gate === "gave_up")?.figures;
  return [
    {
      what: "step_ends",
      time: time(child.spawnNs + timeoutNs),
      step: stepNumber,
      kind: currentStep.kind,
      ...(verifyWithinNs === undefined ? {} : { verify_ms: msFromNs(verifyWithinNs) }),
      ...(figures === undefined
        ? {}
        : {
            left: Math.max(0, figures.limit - figures.used),
            limit: figures.limit,
            window_ms: msFromNs(figures.windowNs),
          }),
    },
  ];
}
