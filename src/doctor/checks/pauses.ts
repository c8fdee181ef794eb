// Times in which the daemon could hear nobody (spec 12 section 8).
import { shellWord } from "../../base/shell_word.ts";
import { check, type Finding, NEEDS_DAEMON } from "../check.ts";
import { shortDuration } from "../../base/short_duration.ts";
import type { ObserverStatus } from "../../view/status_view.ts";

const MINUTE_MS = 60_000;
/** A tenth of it: who is away for so long says little about how long others were. */
const MINUTE_PAUSED_MS_MAX = MINUTE_MS / 10;

interface PauseFacts {
  readonly pause: ObserverStatus["paused_last"];
  readonly inMinuteMs: number;
  readonly unit: string;
}

export const PAUSES = check<PauseFacts>({
  name: "pauses",
  about: "pauses of the observer in the last minute, and the last one within ten minutes",
  gather: ({ daemon, unit }) =>
    daemon === undefined
      ? NEEDS_DAEMON
      : {
          pause: daemon.observer.paused_last,
          inMinuteMs: daemon.own?.paused_in_minute_ms ?? 0,
          unit: unit?.name ?? "varta-watch",
        },
  decide: pausesFinding,
});

function pausesFinding({ pause, inMinuteMs, unit }: PauseFacts): Finding | undefined {
  const cause = pause?.cause === undefined ? "" : ` (${pause.cause})`;
  const fix = { run: [`journalctl -u ${shellWord(unit)} --since -1h -g "observer paused"`] };
  if (inMinuteMs > MINUTE_PAUSED_MS_MAX)
    return {
      severity: "fault",
      found: `The observer was paused for ${shortDuration(inMinuteMs)} of the last minute.`,
      effect: `It is kept from its work${cause}: stalls are told late by as much.`,
      fix,
    };
  if (pause === null) return undefined;
  return {
    severity: "warning",
    found: `The observer was paused for ${shortDuration(pause.length_ms)} at ${pause.time}.`,
    effect:
      pause.is_silence === true
        ? `Nothing was judged in that time${cause}; observer.clock_source = "boottime" counts it as silence.`
        : `Nothing was judged in that time${cause}; deadlines were moved by it.`,
    fix,
  };
}
