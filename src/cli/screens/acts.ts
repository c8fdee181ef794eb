// Acts are answered with what is true now and when it ends.
import type {
  ForgetAnswer,
  LogLevelAnswer,
  MuteAnswer,
  MutedAgent,
  MutesView,
  UnmuteAnswer,
} from "../../view/act_views.ts";
import {
  cutEnd,
  cutMiddle,
  foldLines,
  left,
  linesText,
  printable,
  right,
  widthOf,
} from "./cells.ts";
import { duration, roughly, setDuration } from "./figures.ts";
import { nameCellsMax, type Screen } from "./screen.ts";
import { Times } from "./times.ts";

const BY_CELLS = 14;
const GAP = "  ";

export function muteScreen(given: MuteAnswer, screen: Screen): string {
  const { time, mutes } = printable(given);
  const times = new Times(time, screen.zone);
  const lines = mutes.map(({ agent, since, until }) => {
    const lasts = Date.parse(until) - Date.parse(since);
    return `${subject(agent)} is muted until ${times.at(until)} (${setDuration(lasts)}).`;
  });
  const it = mutes.length === 1 ? "It is" : "They are";
  return sentences(
    [...lines, `${it} judged and shown as before. No alert is sent, nothing is recovered.`],
    screen,
  );
}

export function mutesScreen(given: MutesView, screen: Screen): string {
  const { time, mutes } = printable(given);
  if (mutes.length === 0) return "No agent is muted.\n";
  const times = new Times(time, screen.zone);
  const most = nameCellsMax(screen);
  const rows = [...mutes]
    .sort(soonestFirst)
    .map(({ agent, state, until, by, reason }) => [
      cutMiddle(agent, most, screen.ascii),
      state,
      duration(-times.sinceMs(until)),
      times.at(until),
      cutMiddle(by, BY_CELLS, screen.ascii),
      reason === "" ? "-" : reason,
    ]);
  const lines = [["AGENT", "STATE", "LEFT", "UNTIL", "BY", "REASON"], ...rows];
  const widths = [0, 1, 2, 3, 4].map((at) =>
    Math.max(...lines.map((cells) => widthOf(cells[at]!))),
  );
  return linesText(
    lines.map((cells) => {
      const padded = cells.map((text, at) =>
        at === 2 ? right(text, leftCells(widths)) : left(text, widths[at] ?? 0),
      );
      return cutEnd(padded.join(GAP).trimEnd(), screen.width, screen.ascii);
    }),
  );
}

/** No cell moves when the time that is left gets shorter. */
function leftCells(widths: readonly number[]): number {
  return Math.max(6, widths[2]!);
}

function soonestFirst(one: MutedAgent, other: MutedAgent): number {
  return Date.parse(one.until) - Date.parse(other.until) || (one.agent < other.agent ? -1 : 1);
}

export function unmuteScreen(given: UnmuteAnswer, screen: Screen): string {
  return sentences(
    printable(given).unmuted.flatMap(({ agent, state, left_ms, recovery, still, reported }) => {
      const early = `${roughly(left_ms)} before its end`;
      if (still !== null)
        return [`The mute of ${agent} is over (${early}). The mute of ${still} still holds it.`];
      const line =
        subject(agent) === agent
          ? `${agent} is no longer muted (${early}).`
          : `The mute of every agent is over (${early}).`;
      if (state !== "stalled") return [line, `It is ${state}.`];
      if (!reported && recovery === null)
        return [line, "It is stalled, and that was reported before it was muted."];
      const begun = recovery === null ? "" : `, and recovery ${recovery} has begun`;
      return [line, `It is stalled: it is reported now${begun}.`];
    }),
    screen,
  );
}

export function forgetScreen(given: ForgetAnswer, screen: Screen): string {
  const { name, state, for_ms } = printable(given);
  return sentences(
    [`${name} is forgotten (${state} for ${duration(for_ms)}). It comes back with a beat.`],
    screen,
  );
}

export function logLevelScreen(given: LogLevelAnswer, now: string, screen: Screen): string {
  const { level, until, then } = printable(given);
  const times = new Times(now, screen.zone);
  return sentences(
    [`The log level is ${level} until ${times.at(until)}, then ${then} again.`],
    screen,
  );
}

/** "*" is the mute of all. */
function subject(agent: string): string {
  return agent === "*" ? "Every agent" : agent;
}

function sentences(texts: readonly string[], { width }: Screen): string {
  return linesText(texts.flatMap((text) => foldLines(text, width, 4)));
}
