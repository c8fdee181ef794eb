// One event in words: the same for `events`, where each has its line, and for the history of
// `explain`, where the agent is known and a recovery's number comes first.
import type { EventView, RecoveryEvent } from "../../view/event_view.ts";
import { duration, lasted, plural, setDuration } from "./figures.ts";
import { planText } from "./members.ts";
import { endText, unwatchedText } from "./signals.ts";
import type { Times } from "./times.ts";

type Place = "events" | "history";

export function eventWords(event: EventView, place: Place, times: Times): string {
  const parts = [...subject(event, place), ...whatWords(event, place, times)];
  const words = parts.filter((part) => part !== "").join(", ");
  return event.muted === true ? `${words}, muted` : words;
}

/** The pid where it says more than the agent: the history of one member leaves it out. */
function subject({ kind, pid }: EventView, place: Place): string[] {
  const isKnown = place === "history" && kind !== "exit" && kind !== "gone";
  return pid === undefined || isKnown || kind === "recovery" ? [] : [`pid ${pid}`];
}

function whatWords(event: EventView, place: Place, times: Times): string[] {
  const { kind, detail = "" } = event;
  switch (kind) {
    case "stall":
      return [verdictWords(event), detail === "" ? silenceWords(event, false) : detail];
    case "late":
      return [silenceWords(event, place === "events")];
    case "resume": {
      const { recovery } = event;
      const helped = recovery === undefined ? "" : `; recovery ${recovery.id} helped`;
      return [`silent for ${lasted(event.silence_ms ?? 0)} in all${helped}`];
    }
    case "exit":
      return [endWords(event, times)];
    case "gone":
      if (event.by_pid !== undefined) return [`replaced by pid ${event.by_pid}`];
      return detail === "goodbye" ? goodbyeWords(event, times) : [endWords(event, times)];
    case "missing":
    case "complete":
      return [`${event.members ?? 0} of ${plural(event.expected ?? 0, "member")}`, detail];
    case "recovery":
      return [event.recovery === undefined ? detail : recoveryWords(event.recovery, event, place)];
    case "lost":
      return [`${plural(event.count ?? 0, "event")}: this reader was too slow`];
    default:
      return [detail];
  }
}

/** Why its end is none to look at. That of one on another machine is not seen. */
function goodbyeWords(event: EventView, times: Times): string[] {
  const { exit_status = null, signal = null } = event.end ?? {};
  const isKnown = exit_status !== null || signal !== null || event.unwatched !== undefined;
  return ["said goodbye", ...(isKnown ? [endWords(event, times)] : [])];
}

function endWords({ end, unwatched, detail = "" }: EventView, times: Times): string {
  const how = end === undefined ? detail : endText(end);
  return unwatched === undefined ? how : `${unwatchedText(unwatched, times)}; ${how}`;
}

function verdictWords({ verdict, tracer }: EventView): string {
  if (verdict !== "traced" || tracer === undefined) return verdict ?? "";
  const comm = tracer.comm === "" ? "" : ` (${tracer.comm})`;
  return `traced by pid ${tracer.pid}${comm}`;
}

function silenceWords({ silence_ms, threshold_ms }: EventView, isOfThreshold: boolean): string {
  if (silence_ms === undefined) return "";
  const of = isOfThreshold && threshold_ms !== undefined ? ` of ${setDuration(threshold_ms)}` : "";
  return `silent for ${duration(silence_ms)}${of}`;
}

function recoveryWords(recovery: RecoveryEvent, event: EventView, place: Place): string {
  const { id, what, step, steps, result = "", took_ms, why = "", reason = "" } = recovery;
  const took = took_ms === undefined ? "" : `, ${lasted(took_ms)}`;
  switch (what) {
    case "began": {
      const count = steps === undefined || place === "history" ? "" : `, ${plural(steps, "step")}`;
      return `${id} began: ${planText(recovery.plan ?? "")}${count}`;
    }
    case "step":
      return `${id} step ${step}/${steps}: ${actionText(recovery, event.pid)}${result === "" ? "" : `: ${result}`}`;
    case "done":
      if (step === undefined) return `${id} done${took}`;
      return `${id} step ${step}/${steps}: ${result === "" ? "done" : result}${took}`;
    case "interrupted":
      return `${id} interrupted: ${why}`;
    case "helped":
    case "not_helped": {
      const word = what === "helped" ? "helped" : "did not help";
      const beats = event.by_pid === undefined ? why : `pid ${event.by_pid} beats`;
      const after = took === "" ? "" : `${took} after the stall`;
      return `${id} ${word}${beats === "" ? "" : `: ${beats}`}${after}`;
    }
    case "refused":
    case "held":
      return `${what} (${reason})${why === "" ? "" : `: ${why}`}`;
  }
}

/** "SIGQUIT to pid 4711", "wait 5s", "restart of worker@3.service", "/usr/bin/dump". */
export function actionText(
  { kind, target = "" }: Pick<RecoveryEvent, "kind" | "target">,
  pid: number | undefined,
): string {
  if (kind === "wait") return `wait ${target}`;
  if (kind === "signal" && pid !== undefined) return `${target} to pid ${pid}`;
  return kind === "restart_unit" ? `restart of ${target}` : target;
}
