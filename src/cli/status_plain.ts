// What a pipe gets of `status`: one line per agent or member, cells without spaces, whole numbers
// in the unit that the heading names, "-" for what does not apply. Columns are only added at the
// end.
import type { AGENT_STATES, AgentState } from "../agents/agent_state.ts";

interface AgentLine {
  readonly agent: string;
  readonly state: AgentState;
  readonly muted?: object | null;
  readonly beating: number;
  readonly members: number;
  readonly expected: number | null;
  readonly silence_ms: number | null;
  readonly threshold_ms: number | null;
  readonly beats_per_s?: number | null;
  readonly stalls: number;
  readonly recoveries: number;
  readonly last_stall: { readonly verdict: string } | null;
}

/** The answer to "status". */
export interface StatusLine {
  readonly counts: Readonly<Record<(typeof AGENT_STATES)[number], number>>;
  readonly agents: readonly AgentLine[];
}

/** One line of the answer to "members". */
export interface MemberLine {
  readonly agent: string | null;
  readonly pid: number;
  readonly state: string;
  readonly silence_ms: number;
  readonly threshold_ms: number;
  readonly status: string;
  readonly listener: string;
  readonly proven: boolean;
}

type Cell = string | number | null | undefined;

const AGENT_HEADINGS =
  "AGENT STATE MUTED BEATING MEMBERS EXPECTED SILENCE_MS THRESHOLD_MS BEATS_PER_S VERDICT STALLS RECOVERIES";
const MEMBER_HEADINGS = "AGENT PID STATE SILENCE_MS THRESHOLD_MS STATUS LISTENER PROVEN";

export function statusPlain({ agents }: StatusLine): string {
  return table(
    AGENT_HEADINGS,
    agents.map((agent) => [
      agent.agent,
      agent.state,
      agent.muted ? "yes" : "no",
      agent.beating,
      agent.members,
      agent.expected,
      agent.silence_ms,
      agent.threshold_ms,
      agent.beats_per_s?.toFixed(3),
      agent.last_stall?.verdict,
      agent.stalls,
      agent.recoveries,
    ]),
  );
}

export function membersPlain(members: readonly MemberLine[]): string {
  return table(
    MEMBER_HEADINGS,
    members.map((member) => [
      member.agent,
      member.pid,
      member.state,
      member.silence_ms,
      member.threshold_ms,
      member.status,
      member.listener,
      member.proven ? "yes" : "no",
    ]),
  );
}

/** Words left, numbers right, two spaces between columns. */
function table(headings: string, rows: readonly (readonly Cell[])[]): string {
  const names = headings.split(" ");
  const cells = [names, ...rows.map((row) => row.map(text))];
  const widths = names.map((_, at) => Math.max(...cells.map((row) => row[at]!.length)));
  const isNumber = names.map((_, at) => rows.some((row) => typeof row[at] === "number"));
  const lines = cells.map((row) =>
    row
      .map((cell, at) => (isNumber[at] ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!)))
      .join("  ")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}

/** A name may hold a space, which would be two cells for awk. */
function text(cell: Cell): string {
  if (cell === null || cell === undefined || cell === "") return "-";
  return String(cell).replaceAll(/\s/g, "_");
}
