// The agents with what their members come to, as one line that is made in pieces: the answer to
// "status" (spec 16 section 4), and what SIGUSR1 writes.
import { AGENT_STATES, ALARM_STATES } from "../agents/agent_state.ts";
import { matchesGlob } from "../base/glob.ts";
import type { Pieces } from "../base/pieces.ts";
import type { AgentStatus, StatusWalk } from "../view/agent_status.ts";
import type { StatusView } from "../view/status_view.ts";
import { PROTOCOL } from "./request.ts";
import {
  agentRow,
  noSuchAgent,
  observerStatus,
  type StatusSources,
  wallTime,
} from "./status_rows.ts";

/** Agents of a piece: about 0.1 ms. */
const AGENTS_PER_PIECE = 64;
const END = "]}\n";
const CUT_END = '],"cut":true}\n';

interface StatusLineOptions {
  /** Undefined = all agents. */
  readonly pattern?: string | undefined;
  readonly onlyBad?: boolean;
  /** Agents that find no room are left out, the best ones: the line says that it is cut. */
  readonly bytesMax?: number;
}

export class StatusLine implements Pieces {
  readonly #sources: StatusSources;
  readonly #options: StatusLineOptions;
  readonly #walk: StatusWalk;
  #agents: AgentStatus[] | undefined;
  #next = 0;
  /** For agents, and what ends the line. */
  #bytesLeft: number;
  #isOver = false;
  /** What is left of an answer that is a refusal. */
  #refusal: Pieces | undefined;

  constructor(sources: StatusSources, options: StatusLineOptions = {}) {
    this.#sources = sources;
    this.#options = options;
    this.#bytesLeft = options.bytesMax ?? Number.POSITIVE_INFINITY;
    this.#walk = sources.view.walkStatus();
  }

  next(): string | null | undefined {
    if (this.#refusal !== undefined) return this.#refusal.next();
    if (this.#isOver) return undefined;
    return this.#agents === undefined ? this.#step() : this.#rows(this.#agents);
  }

  /** Passes members until all are passed; then the head of the line. */
  #step(): string | null | undefined {
    if (!this.#walk.step()) return "";
    const { pattern, onlyBad = false } = this.#options;
    const all = this.#walk.agents().filter(({ agent }) => this.#isNamed(agent));
    if (all.length === 0 && pattern !== undefined) {
      this.#refusal = noSuchAgent(pattern, this.#walk.agents());
      return this.#refusal.next();
    }
    this.#agents = onlyBad ? all.filter(({ state }) => ALARM_STATES.includes(state)) : all;
    const head = `${JSON.stringify(this.#head(all)).slice(0, -1)},"agents":[`;
    this.#bytesLeft -= Buffer.byteLength(head);
    return head;
  }

  #rows(agents: readonly AgentStatus[]): string {
    let text = "";
    const end = Math.min(agents.length, this.#next + AGENTS_PER_PIECE);
    for (; this.#next < end; this.#next++) {
      const row = JSON.stringify(agentRow(agents[this.#next]!, this.#sources));
      const piece = this.#next === 0 ? row : `,${row}`;
      this.#bytesLeft -= Buffer.byteLength(piece);
      if (this.#bytesLeft < CUT_END.length) return text + this.#end(CUT_END);
      text += piece;
    }
    return this.#next < agents.length ? text : text + this.#end(END);
  }

  #end(text: string): string {
    this.#isOver = true;
    return text;
  }

  #isNamed(agent: string): boolean {
    const { pattern } = this.#options;
    return pattern === undefined || matchesGlob(pattern, agent);
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
