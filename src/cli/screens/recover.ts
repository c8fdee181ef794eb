// `recover` and its dry run: every gate with what it found, and the steps, as they are done or as
// they would be.
import type { PlannedStep, RecoverDryRun, RecoveryBegun } from "../../view/act_views.ts";
import type { EventView, RecoveryEvent } from "../../view/event_view.ts";
import { foldLines, linesText, printable } from "./cells.ts";
import { actionText } from "./event_words.ts";
import { lasted, plural } from "./figures.ts";
import { planText } from "./members.ts";
import type { Screen } from "./screen.ts";
import { Times } from "./times.ts";

const GATE_INDENT = 7;
const STEP_INDENT = 5;

export function dryRunScreen(given: RecoverDryRun, screen: Screen): string {
  const { agent, pid, stalled, gates, refused, steps } = printable(given);
  const which =
    stalled === 1
      ? " (the only member that is stalled)"
      : stalled > 1
        ? ` (one of ${stalled} that are stalled)`
        : "";
  const would =
    refused === null
      ? "It would do:"
      : `It would be refused (${refused}). Without that it would do:`;
  const { width } = screen;
  return linesText([
    ...foldLines(`${agent}, pid ${pid}${which}. Nothing is done now.`, width, 4),
    "",
    ...gates.flatMap(({ open, passed_over, found }) => {
      const passed = passed_over ? ": passed over by hand" : "";
      return foldLines(
        `  ${open ? "yes" : passed_over ? "no " : "NO "}  ${found}${passed}`,
        width,
        GATE_INDENT,
      );
    }),
    "",
    ...foldLines(would, width, 4),
    ...steps.flatMap((step, index) =>
      foldLines(`  ${index + 1}  ${stepText(step, pid)}`, width, STEP_INDENT),
    ),
  ]);
}

function stepText({ step, detail }: PlannedStep, pid: number): string {
  if (step === "wait") return `wait ${detail} for a beat`;
  if (step === "signal") return `${detail} to pid ${pid}`;
  return step === "restart_unit" ? `restart ${detail}` : detail;
}

export function recoveryHead(given: RecoveryBegun, screen: Screen): string {
  const { id, agent, pid, by, plan, steps, passed_over } = printable(given);
  const over = passed_over.length === 0 ? "" : ` Passed over: ${passed_over.join(", ")}.`;
  const text =
    `Recovery ${id} of ${agent}, pid ${pid} (by ${by}): ${planText(plan)}, ` +
    `${plural(steps, "step")}.${over}`;
  return linesText(foldLines(text, screen.width, 4));
}

/** One line for each thing that a recovery by hand does; "" = nothing to say. */
export function recoveryLine(given: EventView, now: string, screen: Screen): string {
  const { time, recovery, by_pid, pid } = printable(given);
  if (recovery === undefined || recovery.what === "began") return "";
  const at = new Times(now, screen.zone).exactly(time);
  const took = recovery.took_ms === undefined ? "" : `, ${lasted(recovery.took_ms)}`;
  const why = recovery.why === undefined || recovery.why === "" ? "" : `: ${recovery.why}`;
  const result = recovery.result === undefined ? "" : `: ${recovery.result}`;
  const texts = {
    step: `step ${recovery.step}, ${actionText(recovery, pid)}${result}${took}`,
    done: doneText(recovery, pid, took),
    helped: `pid ${by_pid ?? pid} beats. It helped, after ${lasted(recovery.took_ms ?? 0)}.`,
    not_helped: `It did not help${why}.`,
    interrupted: `It was interrupted${why}.`,
    refused: `refused (${recovery.reason})${why}`,
    held: `held (${recovery.reason})${why}`,
  } as const;
  return linesText(foldLines(`  ${at}  ${texts[recovery.what]}`, screen.width, 16));
}

/** A step, or the whole where none is named. */
function doneText(recovery: RecoveryEvent, pid: number | undefined, took: string): string {
  const result = `${recovery.result ?? "done"}${took}`;
  if (recovery.step === undefined) return `${result}.`;
  const action = recovery.target === undefined ? "" : `, ${actionText(recovery, pid)}`;
  return `step ${recovery.step}${action}: ${result}`;
}
