// What SIGUSR1 writes (spec 12 section 6): one line with the totals, what `status --json` prints,
// and at level debug a line for each member. There may be thousands of those, and the stream takes
// a bounded number of bytes at a time: they come in slices with turns in between.
import { originText } from "../base/origin.ts";
import { NS_PER_MS, wholeMsFromNs } from "../base/time.ts";
import type { Pieces } from "../base/pieces.ts";
import type { AgentView, AgentWalk } from "../view/agent_view.ts";
import { saidText } from "../view/said_view.ts";
import type { View } from "../view/view.ts";
import { statusText } from "../wire/frame.ts";
import { memberFields, refusedFields } from "./agent_fields.ts";
import type { Deadline } from "./deadline.ts";
import type { Log, LogFields } from "./log.ts";

/** About 30 KiB, an eighth of what the stream holds; it is written within a few milliseconds. */
const AGENTS_PER_SLICE = 100;
const SLICE_EVERY_NS = 20 * NS_PER_MS;

/** Of the line that is the view: what is beyond is cut. */
export const STATUS_BYTES_MAX = 64 * 1_024;
/** Pieces of it that are made in a turn, about 0.4 ms. */
const PIECES_PER_TURN = 4;
const PIECES_EVERY_NS = 2 * NS_PER_MS;

interface StateDumpOptions {
  readonly view: View;
  readonly log: Log;
  /** The view as one line of at most STATUS_BYTES_MAX; undefined = started by options alone. */
  readonly statusLine: (() => Pieces) | undefined;
  /** Writes a line that is no log line beside the log. */
  readonly write: (line: string) => void;
  /** Observer time. */
  readonly nowNs: () => number;
  /** What the loop and the log know of themselves. */
  readonly turns: () => number;
  readonly logDropped: () => number;
}

export class StateDump implements Deadline {
  readonly #options: StateDumpOptions;
  /** The agents that are still to be written; undefined = none. */
  #walk: AgentWalk | undefined;
  #dueNs = Number.POSITIVE_INFINITY;
  /** What is still to be made of the view, and what is made; undefined = nothing is to be. */
  #status: Pieces | undefined;
  #statusText = "";
  #statusDueNs = Number.POSITIVE_INFINITY;

  constructor(options: StateDumpOptions) {
    this.#options = options;
  }

  /** Writes the state, and begins with the agents, from the first again if it was at it already. */
  begin(): void {
    const { view, log, turns, logDropped } = this.#options;
    const { tracked, stalled, queuedStalls } = view.totals();
    const state = {
      turns: turns(),
      agents: tracked,
      stalled,
      children: view.recovery().children,
      queued_stalls: queuedStalls,
      log_dropped: logDropped(),
      listeners: view.listeners(),
    };
    log.info("state", { state });
    this.#status = this.#options.statusLine?.();
    this.#statusText = "";
    if (this.#status !== undefined) this.#statusDueNs = this.#options.nowNs();
    if (!log.writes("debug")) return;
    this.#walk = view.walkAgents();
    this.#dueNs = this.#options.nowNs();
  }

  nextDeadlineNs(): number {
    return Math.min(this.#dueNs, this.#statusDueNs);
  }

  maintain(nowNs: number): void {
    if (nowNs >= this.#statusDueNs) this.#makeStatus(nowNs);
    if (nowNs < this.#dueNs || this.#walk === undefined) return;
    const agents = this.#walk.next(AGENTS_PER_SLICE);
    for (const agent of agents) this.#options.log.debug("agent", fieldsOf(agent, nowNs));
    const isOver = agents.length === 0;
    if (isOver) this.#walk = undefined;
    this.#dueNs = isOver ? Number.POSITIVE_INFINITY : nowNs + SLICE_EVERY_NS;
  }

  #makeStatus(nowNs: number): void {
    for (let made = 0; made < PIECES_PER_TURN; made++) {
      const piece = this.#status!.next();
      if (piece === undefined) {
        this.#options.write(this.#statusText);
        this.#status = undefined;
        this.#statusText = "";
        this.#statusDueNs = Number.POSITIVE_INFINITY;
        return;
      }
      this.#statusText += piece ?? "";
    }
    this.#statusDueNs = nowNs + PIECES_EVERY_NS;
  }
}

function fieldsOf(agent: AgentView, nowNs: number): LogFields {
  const { pid, lastBeatNs, deadlineNs, refused } = agent;
  return {
    ...memberFields(agent.agent, pid),
    listener: agent.listener,
    status: statusText(agent.status),
    silence_ms: wholeMsFromNs(nowNs - lastBeatNs),
    threshold_ms: wholeMsFromNs(agent.thresholdNs),
    stalls_in_ms: Number.isFinite(deadlineNs) ? wholeMsFromNs(deadlineNs - nowNs) : undefined,
    state: agent.state,
    proven: agent.isProven,
    origin: originText(agent.origin),
    said: agent.said === null ? undefined : saidText(agent.said),
    ...refusedFields(refused),
  };
}
