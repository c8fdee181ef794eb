// `status AGENT --members`: one agent and each of its processes.
import { shellWord } from "../../base/shell_word.ts";
import { AGENT_STATES } from "../../agents/agent_state.ts";
import type { MemberStatusView, MembersView } from "../../view/status_view.ts";
import { saidText } from "../../view/said_view.ts";
import { isMuted, wantedOf } from "./agent_table.ts";
import { cutEnd, foldLines, left, linesText, printable, right, widthOf } from "./cells.ts";
import { count, duration, plural, roughly, setDuration } from "./figures.ts";
import { painted, signOf, toneOf } from "./paint.ts";
import type { Screen } from "./screen.ts";
import { hintText } from "./status.ts";
import { Times } from "./times.ts";

const GAP = "  ";
const PID_CELLS = 7;
const STATE_CELLS = 8;
const BEATS_CELLS = 6;
const AGE_CELLS = 6;
/** Only where a process has a mute of its own. */
const MUTED_CELLS = 8;

export function membersScreen(given: MembersView, screen: Screen): string {
  const view = printable(given);
  const { agent } = view;
  const times = new Times(view.time, screen.zone);
  const head =
    `${view.host}, ${times.now()}: ${agent.agent} is ${agent.state}. ` +
    `${count(agent.beating)} of ${plural(wantedOf(agent), "member")} ` +
    `${wantedOf(agent) === 1 ? "beats" : "beat"}.`;
  const members = [...view.members].sort(worstFirst);
  const [worst] = members;
  const asks = worst !== undefined && ["stalled", "critical", "degraded"].includes(worst.state);
  return linesText([
    ...foldLines(head, screen.width, 4),
    ...foldLines(policySentence(view), screen.width, 4),
    "",
    ...table(members, isMuted(agent), times, screen),
    ...(asks ? ["", ...hintText(`why: varta-watch explain ${nameOf(worst)}`, screen)] : []),
  ]);
}

function policySentence({ agent, plan, stalls_24h, recoveries_24h }: MembersView): string {
  const policy =
    agent.threshold_ms === null ? [] : [`threshold ${setDuration(agent.threshold_ms)}`];
  if (agent.late_ms !== null) policy.push(`late ${setDuration(agent.late_ms)}`);
  if (plan !== undefined) policy.push(planText(plan));
  const [first = "", ...rest] = policy;
  const sentence = [first.charAt(0).toUpperCase() + first.slice(1), ...rest].join(", ");
  const isPerDay = stalls_24h !== undefined && recoveries_24h !== undefined;
  const stalls = isPerDay ? stalls_24h : agent.stalls;
  const recoveries = isPerDay ? recoveries_24h : agent.recoveries;
  const known = `${plural(stalls, "stall")} and ${plural(recoveries, "recovery", "recoveries")}`;
  return `${sentence}. ${known} ${isPerDay ? "in 24h" : "since the start"}.`;
}

export function planText(plan: string): string {
  if (plan === "none") return "no plan";
  return plan === "" ? "the plan of [recovery]" : `plan ${plan}`;
}

function worstFirst(one: MemberStatusView, other: MemberStatusView): number {
  const byState = AGENT_STATES.indexOf(one.state) - AGENT_STATES.indexOf(other.state);
  const bySilence = other.silence_ms / other.threshold_ms - one.silence_ms / one.threshold_ms;
  return byState || bySilence || one.pid - other.pid;
}

/** "10.0.4.20/811" of a remote one. */
function nameOf({ pid, source }: MemberStatusView): string {
  return source === null || source === "" ? String(pid) : shellWord(`${source}/${pid}`);
}

function table(
  members: readonly MemberStatusView[],
  isAgentMuted: boolean,
  times: Times,
  screen: Screen,
): string[] {
  const hasMutes = members.some(({ muted }) => muted);
  const isSaid = members.some(({ said }) => said !== undefined);
  const unitCells = Math.max(4, ...members.map(({ unit }) => widthOf(unit || "-")));
  const pidCells = Math.max(PID_CELLS, ...members.map((member) => widthOf(nameOf(member))));
  const lineOf = (texts: readonly string[]): string =>
    [
      right(texts[1]!, pidCells),
      left(texts[2]!, STATE_CELLS),
      right(texts[3]!, 7),
      left(texts[4]!, STATE_CELLS),
      right(texts[5]!, BEATS_CELLS),
      right(texts[6]!, AGE_CELLS),
      ...(hasMutes ? [left(texts[7]!, MUTED_CELLS)] : []),
      isSaid ? left(texts[8]!, unitCells) : texts[8]!,
      ...(isSaid ? [texts[9]!] : []),
    ].join(GAP);
  const heading = [
    "",
    "PID",
    "STATE",
    "SILENCE",
    "STATUS",
    "BEATS",
    "AGE",
    "MUTED",
    "UNIT",
    "SAID",
  ];
  const rows = members.map((member) => {
    const { state } = member;
    const sign = signOf(state, screen.ascii);
    const cells = [
      sign,
      nameOf(member),
      state,
      duration(member.silence_ms),
      member.status,
      member.beats === undefined ? "-" : count(member.beats),
      member.age_ms === undefined ? "-" : duration(member.age_ms),
      member.muted ? `${roughly(-times.sinceMs(member.muted.until))} left` : "-",
      member.unit || "-",
      member.said === undefined ? "-" : saidText(member.said),
    ];
    const line = cutEnd(`${sign} ${lineOf(cells)}`.trimEnd(), screen.width, screen.ascii);
    const tone = toneOf(state, isAgentMuted || Boolean(member.muted));
    const start = sign.length + 1 + pidCells + GAP.length;
    if (widthOf(line) < start + state.length) return line;
    return (
      painted(sign, tone, screen.colour) +
      line.slice(sign.length, start) +
      painted(state, tone, screen.colour) +
      line.slice(start + state.length)
    );
  });
  const head = cutEnd(`  ${lineOf(heading)}`.trimEnd(), screen.width, screen.ascii);
  return [painted(head, "dim", screen.colour), ...rows];
}
