// "status": the agents with what their members come to (spec 16 section 4). One line, which grows
// with the agents; it is made in pieces.
import { AGENT_STATES } from "../../agents/agent_state.ts";
import { matchesGlob } from "../../base/glob.ts";
import type { Pieces } from "../../base/pieces.ts";
import { NS_PER_MS, NS_PER_S, wholeMsFromNs } from "../../base/time.ts";
import type { AgentStatus, StatusWalk } from "../../view/agent_status.ts";
import {
  answerLine,
  argFlag,
  argText,
  type ControlSources,
  PROTOCOL,
  type Request,
} from "../request.ts";

/** Agents of a piece: about 0.1 ms. */
const AGENTS_PER_PIECE = 64;
const BAD_STATES: readonly string[] = ["stalled", "missing", "critical"];

export const STATUS: Request = {
  name: "status",
  right: "read",
  help: "the state of all agents, or of those with a name",
  args: {
    agent: { is: "text", charsMax: 256, help: "name, or a pattern with * and ?" },
    stalled: { is: "flag", help: "only what is stalled, missing or critical" },
  },
  answer:
    "one line: `host`, `time`, `observer`, `counts` of agents by state, `members`, `beating`, and `agents`, the worst first",
  run: (args, sources) =>
    new StatusPieces(sources, argText(args, "agent"), argFlag(args, "stalled")),
};

class StatusPieces implements Pieces {
  readonly #sources: ControlSources;
  readonly #pattern: string | undefined;
  readonly #onlyBad: boolean;
  readonly #walk: StatusWalk;
  #agents: AgentStatus[] | undefined;
  #next = 0;
  #isOver = false;

  constructor(sources: ControlSources, pattern: string | undefined, onlyBad: boolean) {
    this.#sources = sources;
    this.#pattern = pattern;
    this.#onlyBad = onlyBad;
    this.#walk = sources.view.walkStatus();
  }

  next(): string | undefined {
    if (this.#isOver) return undefined;
    if (this.#agents === undefined) return this.#step();
    const from = this.#next;
    this.#next = from + AGENTS_PER_PIECE;
    const rows = this.#agents.slice(from, this.#next).map((agent) => this.#row(agent));
    const text = `${from > 0 && rows.length > 0 ? "," : ""}${rows.join(",")}`;
    if (this.#next < this.#agents.length) return text;
    this.#isOver = true;
    return `${text}]}\n`;
  }

  /** Passes members until all are passed; then the head of the line. */
  #step(): string | undefined {
    if (!this.#walk.step()) return "";
    const all = this.#walk.agents().filter(({ agent }) => this.#isNamed(agent));
    if (all.length === 0 && this.#pattern !== undefined) {
      this.#isOver = true;
      const text = `no agent is called ${JSON.stringify(this.#pattern)}`;
      return answerLine({ error: "no_such_agent", text });
    }
    this.#agents = this.#onlyBad ? all.filter(({ state }) => BAD_STATES.includes(state)) : all;
    const head = JSON.stringify({ v: PROTOCOL, ...this.#head(all) });
    return `${head.slice(0, -1)},"agents":[`;
  }

  #isNamed(agent: string): boolean {
    return this.#pattern === undefined || matchesGlob(this.#pattern, agent);
  }

  #head(agents: readonly AgentStatus[]): object {
    const { host, wallMs, view } = this.#sources;
    const { nowNs, lastPause } = view.observer();
    const counts = Object.fromEntries(
      AGENT_STATES.map((state) => [state, agents.filter((one) => one.state === state).length]),
    );
    const paused =
      lastPause === undefined
        ? null
        : {
            time: this.#time(lastPause.endNs - lastPause.ns),
            length_ms: wholeMsFromNs(lastPause.ns),
          };
    return {
      host,
      time: new Date(wallMs()).toISOString(),
      observer: { state: "ok", up_s: Math.floor(nowNs / NS_PER_S), paused_last: paused },
      counts,
      members: agents.reduce((sum, { members }) => sum + members, 0),
      beating: agents.reduce((sum, { beating }) => sum + beating, 0),
      unnamed: this.#walk.unnamed,
    };
  }

  #row(agent: AgentStatus): string {
    const { lastStall } = agent;
    return JSON.stringify({
      agent: agent.agent,
      state: agent.state,
      beating: agent.beating,
      members: agent.members,
      expected: agent.expected === 0 ? null : agent.expected,
      silence_ms: wholeMs(agent.silenceNs),
      threshold_ms: wholeMs(agent.thresholdNs),
      late_ms: wholeMs(agent.lateNs),
      pid: agent.pid === 0 ? null : agent.pid,
      stalls: agent.stalls,
      recoveries: agent.recoveries,
      last_stall:
        lastStall === undefined
          ? null
          : {
              verdict: lastStall.verdict,
              time: this.#time(lastStall.observerNs),
              pid: lastStall.pid,
            },
    });
  }

  /** The time of day of an observer time, in RFC 3339. */
  #time(observerNs: number): string {
    const { wallMs, view } = this.#sources;
    return new Date(wallMs() - (view.observer().nowNs - observerNs) / NS_PER_MS).toISOString();
  }
}

/** Null for what does not apply: JSON has no NaN and no infinity. */
function wholeMs(ns: number): number | null {
  return Number.isFinite(ns) ? wholeMsFromNs(ns) : null;
}
