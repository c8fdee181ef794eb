// Signs and colours. The word of a state is always there; sign and colour only help to find it, and
// with neither nothing moves by a cell. Only the colours that every terminal has.
import type { AgentState } from "../../agents/agent_state.ts";

type Tone = "none" | "red" | "yellow" | "cyan" | "dim" | "bold";

const SGR: Readonly<Record<Tone, string>> = {
  none: "",
  red: "31",
  yellow: "33",
  cyan: "36",
  dim: "2",
  bold: "1",
};

interface Look {
  readonly sign: string;
  readonly ascii: string;
  readonly tone: Tone;
}

const LOOKS: Readonly<Record<AgentState, Look>> = {
  stalled: { sign: "✗", ascii: "X", tone: "red" },
  missing: { sign: "?", ascii: "?", tone: "red" },
  critical: { sign: "!", ascii: "!", tone: "red" },
  late: { sign: "~", ascii: "~", tone: "yellow" },
  degraded: { sign: "-", ascii: "-", tone: "yellow" },
  new: { sign: "+", ascii: "+", tone: "cyan" },
  ok: { sign: "·", ascii: ".", tone: "none" },
  gone: { sign: "○", ascii: "o", tone: "dim" },
};

export function signOf(state: AgentState, ascii: boolean): string {
  return ascii ? LOOKS[state].ascii : LOOKS[state].sign;
}

export function toneOf(state: AgentState, isMuted: boolean): Tone {
  return isMuted ? "cyan" : LOOKS[state].tone;
}

export function painted(text: string, tone: Tone, colour: boolean): string {
  return !colour || tone === "none" || text === "" ? text : `\x1b[${SGR[tone]}m${text}\x1b[0m`;
}

/** How much of the threshold has passed; full only from the threshold on. */
export function bar(silenceMs: number | null, thresholdMs: number, cells: number, ascii: boolean) {
  const [full, empty] = ascii ? ["#", "."] : ["█", "░"];
  if (silenceMs === null) return (ascii ? "." : "·").repeat(cells);
  const rounded = Math.round((silenceMs / thresholdMs) * cells);
  const lit = silenceMs >= thresholdMs ? cells : Math.min(cells - 1, Math.max(0, rounded));
  return full.repeat(lit) + empty.repeat(cells - lit);
}
