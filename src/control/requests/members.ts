// "members": one line for each member of an agent, or of all (spec 16 section 4).
import { matchesGlob } from "../../base/glob.ts";
import { originText } from "../../base/origin.ts";
import type { Pieces } from "../../base/pieces.ts";
import { wholeMsFromNs } from "../../base/time.ts";
import type { AgentView, AgentWalk } from "../../view/agent_view.ts";
import type { View } from "../../view/view.ts";
import { statusText } from "../../wire/frame.ts";
import { answerLine, argText, type Request } from "../request.ts";

const MEMBERS_PER_PIECE = 32;

export const MEMBERS: Request = {
  name: "members",
  right: "read",
  help: "the members of all agents, or of those with a name",
  args: { agent: { is: "text", charsMax: 256, help: "name, or a pattern with * and ?" } },
  answer: "one line for each member, in no order; none if there is none",
  run: (args, { view }) => new MembersPieces(view, argText(args, "agent")),
};

class MembersPieces implements Pieces {
  readonly #view: View;
  readonly #pattern: string | undefined;
  readonly #walk: AgentWalk;
  /** A member that was moved into a hole is met twice. */
  readonly #seen = new Set<string>();

  constructor(view: View, pattern: string | undefined) {
    this.#view = view;
    this.#pattern = pattern;
    this.#walk = view.walkAgents();
  }

  next(): string | undefined {
    const members = this.#walk.next(MEMBERS_PER_PIECE);
    if (members.length === 0) return undefined;
    return members
      .filter((member) => this.#isWanted(member))
      .map((member) => this.#line(member))
      .join("");
  }

  #isWanted({ agent, pid, source }: AgentView): boolean {
    if (this.#pattern !== undefined && !matchesGlob(this.#pattern, agent)) return false;
    const key = `${source}/${pid}`;
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    return true;
  }

  #line(member: AgentView): string {
    const { deadlineNs, lastBeatNs, refused } = member;
    const { nowNs } = this.#view.observer();
    return answerLine({
      agent: member.agent === "" ? null : member.agent,
      pid: member.pid,
      source: member.source === "" ? null : member.source,
      state: member.state,
      silence_ms: Math.max(0, wholeMsFromNs(nowNs - lastBeatNs)),
      threshold_ms: wholeMsFromNs(member.thresholdNs),
      stalls_in_ms: Number.isFinite(deadlineNs) ? wholeMsFromNs(deadlineNs - nowNs) : null,
      status: statusText(member.status),
      listener: member.listener,
      origin: originText(member.origin),
      proven: member.isProven,
      refused: Object.fromEntries(refused.map(({ reason, count }) => [reason, count])),
    });
  }
}
