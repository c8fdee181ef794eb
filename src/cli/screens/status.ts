// `status`: one sentence that is the answer, what the observer has to say of itself, the table, and
// at most two hints that can be pasted.
import { shellWord } from "../../base/shell_word.ts";
import { AGENT_STATES, type AgentState } from "../../agents/agent_state.ts";
import type { AgentStatusView, ObserverGuard, StatusView } from "../../view/status_view.ts";
import { agentTable, inOrder, isBad, isGuarded, isMuted, wantedOf } from "./agent_table.ts";
import { foldLines, linesText, printable } from "./cells.ts";
import { count, duration, plural, setDuration } from "./figures.ts";
import { firstMinute } from "./first_minute.ts";
import { painted } from "./paint.ts";
import type { Screen } from "./screen.ts";
import { Times } from "./times.ts";

/** Rows that a table has at most while ok ones are among them. */
const ROWS_FOLDED = 20;
/** Of "observer: ". */
const OBSERVER_INDENT = 10;
const SENTENCE_INDENT = 4;
/** States that ask for something: they get a hint where the reason is. */
const ASKING: readonly AgentState[] = ["stalled", "missing", "critical", "degraded"];

/** As the alert VartaSelfBeatSlow has it. */
const SELF_BEAT_MS_SLOW = 250;
/** A tenth of a minute: more of it is a fault for doctor, too. */
const PAUSED_MS_MAX = 6_000;

interface StatusOptions {
  /** `--all`: nothing is folded. */
  readonly all?: boolean;
}

export function statusScreen(
  given: StatusView,
  screen: Screen,
  { all = false }: StatusOptions = {},
): string {
  const view = printable(given);
  const times = new Times(view.time, screen.zone);
  if (view.agents.length === 0) return firstMinute(view, times, screen);
  const agents = inOrder(view.agents);
  const shown = all ? agents : folded(agents);
  const hidden = agents.length - shown.length;
  const fold = `  and ${hidden} more that are ok: varta-watch status --all`;
  return linesText([
    ...sentence(`${view.host}, ${times.now()}: ${headline(view)}`, screen),
    ...sentence(membersSentence(agents), screen),
    ...observerLines(view, times, screen),
    "",
    ...agentTable(view, shown, screen),
    ...(hidden > 0 ? foldLines(fold, screen.width, SENTENCE_INDENT) : []),
    ...hintLines(view, agents, screen),
  ]);
}

function sentence(text: string, { width }: Screen): string[] {
  return foldLines(text, width, SENTENCE_INDENT);
}

/** Without the last of those that are plainly ok, unless that spares but the line that says so. */
function folded(agents: readonly AgentStatusView[]): readonly AgentStatusView[] {
  const plain = agents.filter(isPlainlyOk);
  const kept = Math.max(0, ROWS_FOLDED - (agents.length - plain.length));
  if (plain.length <= kept + 1) return agents;
  const hidden = new Set(plain.slice(kept));
  return agents.filter((agent) => !hidden.has(agent));
}

function isPlainlyOk(agent: AgentStatusView): boolean {
  return agent.state === "ok" && !isMuted(agent);
}

/** "1 stalled, 1 late." of what is not muted. */
function headline(view: StatusView): string {
  const loud = view.agents.filter((agent) => !isMuted(agent));
  const bad = loud.filter(isBad);
  if (bad.length > 0) {
    const counts = stateCounts(bad);
    return isGuarded(view)
      ? `${counts} at once: the observer suspects itself first.`
      : `${counts}.`;
  }
  const isMutedBad = view.agents.some((agent) => isMuted(agent) && isBad(agent));
  return isMutedBad ? "all ok, except what is muted." : "all ok.";
}

function stateCounts(agents: readonly AgentStatusView[], one = "1"): string {
  return AGENT_STATES.flatMap((state) => {
    const some = agents.filter((agent) => agent.state === state).length;
    return some === 0 ? [] : [`${some === 1 ? one : some} ${state}`];
  }).join(", ");
}

/** "5 agents, 30 of 31 members beat; 2 muted, one of them stalled." */
function membersSentence(agents: readonly AgentStatusView[]): string {
  const beating = agents.reduce((sum, agent) => sum + agent.beating, 0);
  const wanted = agents.reduce((sum, agent) => sum + Math.max(wantedOf(agent), agent.beating), 0);
  const members = wanted === 1 ? "member beats" : "members beat";
  const muted = agents.filter(isMuted);
  const bad = muted.filter(isBad);
  let end = ".";
  if (muted.length > 0) end = `; ${muted.length} muted.`;
  if (bad.length > 0) end = `; ${muted.length} muted, ${mutedBad(bad, muted.length)}.`;
  return `${plural(agents.length, "agent")}, ${count(beating)} of ${count(wanted)} ${members}${end}`;
}

function mutedBad(bad: readonly AgentStatusView[], muted: number): string {
  if (muted === 1) return `and it is ${bad[0]!.state}`;
  const isOneState = bad.every(({ state }) => state === bad[0]!.state);
  const some = bad.length === 1 ? "one" : String(bad.length);
  return isOneState ? `${some} of them ${bad[0]!.state}` : `of them ${stateCounts(bad, "one")}`;
}

function observerLines(view: StatusView, times: Times, screen: Screen): string[] {
  const { guard, paused_last: pause, last_good: refusedAt, self_beat: heard } = view.observer;
  const pausedMs = view.observer.paused_in_minute_ms ?? 0;
  const texts: string[] = [];
  if (refusedAt !== undefined)
    texts.push(
      `observer: runs with the configuration that worked last: ${refusedAt} has a problem, and ` +
        "maybe others. varta-watch check, then varta-watch reload",
    );
  if (pause !== null && pause !== undefined) {
    const length = duration(pause.length_ms);
    const why = pause.cause === undefined || pause.cause === "" ? "" : ` (${pause.cause})`;
    const effect =
      pause.is_silence === true
        ? "that time counts as silence, because observer.clock_source is boottime"
        : `all deadlines were moved by ${length}`;
    texts.push(
      `observer: paused from ${times.exactly(pause.time)} for ${length}${why}. Nothing ` +
        `was judged in that time; ${effect}.`,
    );
  }
  if (heard?.state === "missing")
    texts.push(
      "observer: its own beats do not come round, and those of agents may not either. " +
        "varta-watch doctor, and the log: self-beat missing",
    );
  else if (heard !== undefined && (heard.took_ms ?? 0) >= SELF_BEAT_MS_SLOW)
    texts.push(
      `observer: a beat takes ${duration(heard.took_ms!)} from its send until it is taken in.`,
    );
  if (pausedMs > PAUSED_MS_MAX)
    texts.push(
      `observer: paused for ${duration(pausedMs)} of the last minute: stalls are told late by as ` +
        "much. varta-watch doctor",
    );
  if (guard !== undefined && guard !== false)
    texts.push(
      `observer: guard active since ${times.at(guard.since)}. ${guard.silent} of ` +
        `${plural(guard.members, "member")} fell silent within ${setDuration(guard.window_ms)}. ` +
        `None is judged before ${times.at(guard.until)}: a self-beat must have gone round, and ` +
        `one more threshold must have passed.${evidenceText(guard)}`,
    );
  return texts.flatMap((text) => foldLines(text, screen.width, OBSERVER_INDENT));
}

/** What was seen that is the observer's own fault. */
const EVIDENCE_CLAUSES = {
  paused: "it was paused",
  queue_full: "a queue of its sockets was found full",
  refused_sends: "its own sockets refused its self-beats",
  full_pipe: "nobody reads its log",
  restarted: "it has just started, and nobody listened before that",
} as const;

function evidenceText({ evidence }: ObserverGuard): string {
  const clause = evidence === undefined ? undefined : EVIDENCE_CLAUSES[evidence];
  return clause === undefined ? "" : ` What speaks for that: ${clause}.`;
}

function hintLines(view: StatusView, agents: readonly AgentStatusView[], screen: Screen) {
  const asking = isGuarded(view)
    ? agents.find((agent) => !isMuted(agent) && isBad(agent))
    : agents.find((agent) => !isMuted(agent) && ASKING.includes(agent.state));
  const hint =
    asking !== undefined
      ? `why: varta-watch explain ${shellWord(asking.agent)}`
      : agents.some(isMuted)
        ? "muted: varta-watch mutes"
        : "";
  return hint === "" ? [] : ["", ...hintText(hint, screen)];
}

export function hintText(hint: string, { width, colour }: Screen): string[] {
  return foldLines(hint, width, SENTENCE_INDENT).map((line) => painted(line, "dim", colour));
}
