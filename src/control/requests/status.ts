// "status": the agents with what their members come to (spec 16 section 4). One line, which grows
// with the agents; it is made in pieces.
import { AGENT_STATES, type AgentState } from "../../agents/agent_state.ts";
import { matchesGlob } from "../../base/glob.ts";
import type { Pieces } from "../../base/pieces.ts";
import type { AgentStatus, StatusWalk } from "../../view/agent_status.ts";
import type { StatusView } from "../../view/status_view.ts";
import { argFlag, argText, type ControlSources, PROTOCOL, type Request } from "../request.ts";
import { agentRow, noSuchAgent, observerStatus, wallTime } from "../status_rows.ts";

/** Agents of a piece: about 0.1 ms. */
const AGENTS_PER_PIECE = 64;
const BAD_STATES: readonly AgentState[] = ["stalled", "missing", "critical"];

export const STATUS: Request = {
  name: "status",
  right: "read",
  help: "the state of all agents, or of those with a name",
  args: {
    agent: { is: "text", charsMax: 256, help: "name, or a pattern with * and ?" },
    stalled: { is: "flag", help: "only what is stalled, missing or critical" },
  },
  answer:
    "one line: `host`, `time`, `observer`, `counts` of agents by state, and `agents`, the worst first",
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
  /** What is left of an answer that is a refusal. */
  #refusal: Pieces | undefined;

  constructor(sources: ControlSources, pattern: string | undefined, onlyBad: boolean) {
    this.#sources = sources;
    this.#pattern = pattern;
    this.#onlyBad = onlyBad;
    this.#walk = sources.view.walkStatus();
  }

  next(): string | null | undefined {
    if (this.#refusal !== undefined) return this.#refusal.next();
    if (this.#agents === undefined) return this.#step();
    const from = this.#next;
    if (from > this.#agents.length) return undefined;
    this.#next = from + AGENTS_PER_PIECE;
    const rows = this.#agents
      .slice(from, this.#next)
      .map((agent) => JSON.stringify(agentRow(agent, this.#sources)));
    const comma = from > 0 && rows.length > 0 ? "," : "";
    const end = this.#next > this.#agents.length ? "]}\n" : "";
    return `${comma}${rows.join(",")}${end}`;
  }

  /** Passes members until all are passed; then the head of the line. */
  #step(): string | null | undefined {
    if (!this.#walk.step()) return "";
    const all = this.#walk.agents().filter(({ agent }) => this.#isNamed(agent));
    if (all.length === 0 && this.#pattern !== undefined) {
      this.#refusal = noSuchAgent(this.#pattern, this.#walk.agents());
      return this.#refusal.next();
    }
    this.#agents = this.#onlyBad ? all.filter(({ state }) => BAD_STATES.includes(state)) : all;
    const head = JSON.stringify(this.#head(all));
    return `${head.slice(0, -1)},"agents":[`;
  }

  #isNamed(agent: string): boolean {
    return this.#pattern === undefined || matchesGlob(this.#pattern, agent);
  }

  #head(agents: readonly AgentStatus[]): Omit<StatusView, "agents"> {
    const counts = Object.fromEntries(AGENT_STATES.map((state) => [state, 0]));
    for (const { state } of agents) counts[state]! += 1;
    const muted = agents.filter(({ mute }) => mute !== undefined).length;
    return {
      v: PROTOCOL,
      host: this.#sources.host,
      time: wallTime(this.#sources),
      observer: observerStatus(this.#sources, agents.length === 0),
      counts: { ...(counts as StatusView["counts"]), muted },
    };
  }
}
