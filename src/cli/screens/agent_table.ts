// The table of agents in its three layouts, chosen by the width alone: below 72 cells figures only,
// then the one of 80, and from 110 on the one of 120, in which name and note grow. A row never
// wraps; names are cut in the middle, notes at the end, and figures and states not at all.
import { AGENT_STATES, BAD_STATES } from "../../agents/agent_state.ts";
import type { AgentStatusView, StatusView } from "../../view/status_view.ts";
import { cutEnd, cutMiddle, left, right, widthOf } from "./cells.ts";
import { age, count, duration, rate, roughly, setDuration } from "./figures.ts";
import { bar, painted, signOf, toneOf } from "./paint.ts";
import { NARROW_CELLS, type Screen, WIDE_CELLS } from "./screen.ts";
import { Times } from "./times.ts";

const NAME_CELLS = 14;
const WIDE_NAME_CELLS = 20;
const WIDE_NAME_CELLS_MAX = 40;
/** The width at which the wide layout is as it is drawn; what is beyond is for long names. */
const WIDE_DRAWN_CELLS = 120;
const NAME_CELLS_MIN = 3;
const STATE_CELLS = 8;
const DURATION_CELLS = 6;
const THRESHOLD_CELLS = 5;
const BAR_CELLS = 6;
const WIDE_BAR_CELLS = 10;
const GAP = "  ";
/** Two cells for the sign and the space after it. */
const SIGN_CELLS = 2;

export function isBad({ state }: AgentStatusView): boolean {
  return BAD_STATES.includes(state);
}

/** The worst first, muted ones after all others that are not ok; what is quiet goes by name. */
export function inOrder(agents: readonly AgentStatusView[]): AgentStatusView[] {
  return [...agents].sort(
    (one, other) =>
      rankOf(one) - rankOf(other) ||
      (isBad(one) ? ratioOf(other) - ratioOf(one) : 0) ||
      (one.agent < other.agent ? -1 : 1),
  );
}

function rankOf(agent: AgentStatusView): number {
  const rank = AGENT_STATES.indexOf(agent.state);
  if (!isBad(agent)) return 2 * AGENT_STATES.length + rank;
  return isMuted(agent) ? AGENT_STATES.length + rank : rank;
}

function ratioOf({ silence_ms, threshold_ms }: AgentStatusView): number {
  return silence_ms === null || threshold_ms === null ? 0 : silence_ms / threshold_ms;
}

export function isMuted({ muted }: AgentStatusView): boolean {
  return muted !== null && muted !== undefined;
}

/** Members that there should be; those that are known where nothing says. */
export function wantedOf({ expected, members }: AgentStatusView): number {
  return expected ?? members;
}

/** One cell of a row, before it is laid out. */
interface Column {
  readonly heading: string;
  readonly cells: readonly string[];
  readonly pad: (text: string, cells: number) => string;
  readonly width: number;
}

/** Heading and rows, each within the width. */
export function agentTable(view: StatusView, shown: readonly AgentStatusView[], screen: Screen) {
  const times = new Times(view.time, screen.zone);
  const isWide = screen.width >= WIDE_CELLS;
  const isNarrow = screen.width < NARROW_CELLS;
  const state = column("STATE", left, STATE_CELLS, shown, (agent) => agent.state);
  const members = column("MEMBERS", right, 0, shown, membersText);
  const measure = measureColumn(shown, screen);
  const beats = column("BEATS/S", right, 0, shown, ({ beats_per_s }) =>
    beats_per_s === undefined ? "-" : rate(beats_per_s),
  );
  const stall = column("LAST STALL", left, 15, shown, (agent) => lastStallText(agent, times));
  const notes = shown.map((agent) => noteText(agent, view, times, isWide));
  const middle = isWide
    ? [state, members, measure, beats, stall]
    : isNarrow
      ? [state, measure]
      : [state, members, measure];
  const used = middle.reduce((sum, { width }) => sum + width + GAP.length, SIGN_CELLS);
  const names = shown.map(({ agent }) => widthOf(agent));
  const nameCells = nameWidth(Math.max(0, ...names), screen.width - used, screen.width);
  const room = isNarrow ? 0 : screen.width - used - nameCells - GAP.length;
  const lineOf = (sign: string, name: string, texts: readonly string[], note: string) => [
    `${sign} ${name}`,
    ...middle.map(({ pad, width }, at) => pad(texts[at]!, width)),
    ...(room > 0 && note !== "" ? [cutEnd(note, room, screen.ascii)] : []),
  ];
  const heading = lineOf(
    " ",
    left(cutEnd("AGENT", nameCells, screen.ascii), nameCells),
    middle.map(({ heading: text }) => text),
    "NOTE",
  ).join(GAP);
  const rows = shown.map((agent, row) => {
    const name = left(cutMiddle(agent.agent, nameCells, screen.ascii), nameCells);
    const cells = lineOf(
      signOf(agent.state, screen.ascii),
      name,
      middle.map(({ cells: texts }) => texts[row]!),
      notes[row]!,
    );
    return rowLine(agent, cells, screen);
  });
  return [painted(fitted(heading, screen), "dim", screen.colour), ...rows];
}

/** Sign and state have the colour of the state, and the name of an alarm is bold. */
function rowLine(agent: AgentStatusView, cells: readonly string[], screen: Screen): string {
  const plain = cells.join(GAP).trimEnd();
  if (!screen.colour || widthOf(plain) > screen.width) return fitted(plain, screen);
  const [first, state, ...rest] = cells as [string, string, ...string[]];
  const tone = toneOf(agent.state, isMuted(agent));
  const isAlarm = tone === "red";
  const sign = painted(first.slice(0, 1), tone, true);
  const name = painted(first.slice(SIGN_CELLS).trimEnd(), isAlarm ? "bold" : "none", true);
  const nameGap = first.slice(SIGN_CELLS + first.slice(SIGN_CELLS).trimEnd().length);
  const word = painted(state.trimEnd(), tone, true) + state.slice(state.trimEnd().length);
  return [`${sign} ${name}${nameGap}`, word, ...dimThreshold(rest)].join(GAP).trimEnd();
}

/** The part of a measure from its "/" on is dim. */
function dimThreshold(cells: readonly string[]): string[] {
  return cells.map((cell) => {
    const [, head, threshold, gap] =
      /^(.*[\d-](?:ms|s|m|h|d)?)(\/[\d.]+(?:ms|s|m|h))( *)$/.exec(cell) ?? [];
    return threshold === undefined ? cell : `${head}${painted(threshold, "dim", true)}${gap}`;
  });
}

function fitted(line: string, { width, ascii }: Screen): string {
  return cutEnd(line.trimEnd(), width, ascii);
}

function column(
  heading: string,
  pad: Column["pad"],
  least: number,
  shown: readonly AgentStatusView[],
  text: (agent: AgentStatusView) => string,
): Column {
  const cells = shown.map(text);
  const width = Math.max(least, widthOf(heading), ...cells.map(widthOf));
  return { heading, pad, cells, width };
}

/** The "/" of each row stands under that of the one above. */
function measureColumn(shown: readonly AgentStatusView[], screen: Screen): Column {
  const silences = shown.map(({ silence_ms }) =>
    silence_ms === null ? "-" : duration(silence_ms),
  );
  const thresholds = shown.map(({ threshold_ms }) =>
    threshold_ms === null ? "-" : setDuration(threshold_ms),
  );
  const thresholdCells = Math.max(THRESHOLD_CELLS, ...thresholds.map(widthOf));
  const cells = shown.map(({ silence_ms, threshold_ms }, row) => {
    const figures = `${right(silences[row]!, DURATION_CELLS)}/${left(thresholds[row]!, thresholdCells)}`;
    if (screen.width < NARROW_CELLS) return figures;
    const barCells = screen.width >= WIDE_CELLS ? WIDE_BAR_CELLS : BAR_CELLS;
    const silence = threshold_ms === null ? null : silence_ms;
    return `${bar(silence, threshold_ms ?? 1, barCells, screen.ascii)} ${figures}`;
  });
  const heading = "SILENCE / THRESHOLD";
  return { heading, pad: left, cells, width: Math.max(widthOf(heading), ...cells.map(widthOf)) };
}

function nameWidth(longest: number, room: number, width: number): number {
  const grown = Math.max(0, width - WIDE_DRAWN_CELLS);
  const wide = Math.min(WIDE_NAME_CELLS_MAX, Math.max(WIDE_NAME_CELLS, longest));
  const wanted = width < WIDE_CELLS ? NAME_CELLS : Math.min(wide, WIDE_NAME_CELLS + grown);
  return Math.max(NAME_CELLS_MIN, Math.min(wanted, room));
}

function membersText(agent: AgentStatusView): string {
  return `${count(agent.beating)}/${count(wantedOf(agent))}`;
}

function lastStallText({ last_stall }: AgentStatusView, times: Times): string {
  if (last_stall === null) return "-";
  return `${last_stall.verdict} ${age(times.sinceMs(last_stall.time))}`;
}

/** The one thing that is worth saying beside the state: what is going on, then why nothing is. */
function noteText(agent: AgentStatusView, view: StatusView, times: Times, isWide: boolean): string {
  const { muted, recovery, state } = agent;
  if (muted !== null && muted !== undefined) {
    const note = `muted ${roughly(-times.sinceMs(muted.until))} left`;
    return isWide && muted.reason !== "" ? `${note}: ${muted.reason}` : note;
  }
  if (isHeldByGuard(agent, view)) return "held: guard";
  if (recovery?.state === "running") {
    const step = `${recovery.step}/${recovery.steps}`;
    return isWide ? `recovering, step ${step}` : `recovering ${step}`;
  }
  if (recovery?.state === "gave_up" && state === "stalled") return "gave up";
  if (agent.muted_members) return `${agent.muted_members} of ${agent.members} muted`;
  if (state === "missing") return missingText(agent, times, isWide);
  if (state === "critical" || state === "degraded") return saysItself(agent, times, isWide);
  if (state === "new" && typeof agent.grace_left_ms === "number")
    return `not judged for ${roughly(agent.grace_left_ms)}`;
  return "";
}

function isHeldByGuard({ state, silence_ms, threshold_ms }: AgentStatusView, view: StatusView) {
  const isOver = silence_ms !== null && threshold_ms !== null && silence_ms >= threshold_ms;
  return isOver && state === "late" && isGuarded(view);
}

export function isGuarded({ observer }: StatusView): boolean {
  return observer.guard !== undefined && observer.guard !== false;
}

function missingText(
  { missing_since, members }: AgentStatusView,
  times: Times,
  isWide: boolean,
): string {
  if (missing_since === null || missing_since === undefined) return "";
  const who = members > 0 ? "too few" : isWide ? "no member" : "none";
  return `${who} since ${times.minute(missing_since)}`;
}

function saysItself({ status_since }: AgentStatusView, times: Times, isWide: boolean): string {
  const words = "says so itself";
  if (!isWide || status_since === null || status_since === undefined) return words;
  return `${words}, ${age(times.sinceMs(status_since))}`;
}
