// "members": one agent and each of its processes (spec 16 section 4). One line, made in pieces.
import type { Pieces } from "../../base/pieces.ts";
import { wholeMsFromNs } from "../../base/time.ts";
import type { AgentStatus, StatusWalk } from "../../view/agent_status.ts";
import type { AgentView, AgentWalk } from "../../view/agent_view.ts";
import type { MemberStatusView, MembersView } from "../../view/status_view.ts";
import { statusText } from "../../wire/frame.ts";
import { argText, type ControlSources, PROTOCOL, type Request } from "../request.ts";
import { agentRow, muteView, noSuchAgent, wallTime } from "../status_rows.ts";

export const MEMBERS: Request = {
  name: "members",
  right: "read",
  help: "one agent and each of its processes",
  args: { agent: { is: "text", charsMax: 256, required: true, help: "its name" } },
  answer: "one line: `host`, `time`, `agent` as in `status`, and `members`, in no order",
  run: (args, sources) => new MembersPieces(sources, argText(args, "agent")!),
};

const MEMBERS_PER_PIECE = 64;

class MembersPieces implements Pieces {
  readonly #sources: ControlSources;
  readonly #name: string;
  readonly #status: StatusWalk;
  /** Undefined = the agent itself is not known yet. */
  #walk: AgentWalk | undefined;
  /** A member that was moved into a hole is met twice. */
  readonly #seen = new Set<string>();
  #refusal: Pieces | undefined;
  #isOver = false;

  constructor(sources: ControlSources, name: string) {
    this.#sources = sources;
    this.#name = name;
    this.#status = sources.view.walkStatus();
  }

  next(): string | null | undefined {
    if (this.#refusal !== undefined) return this.#refusal.next();
    if (this.#isOver) return undefined;
    if (this.#walk === undefined) return this.#step();
    const passed = this.#walk.next(MEMBERS_PER_PIECE);
    if (passed.length === 0) {
      this.#isOver = true;
      return "]}\n";
    }
    return passed.map((member) => this.#row(member)).join("");
  }

  #step(): string | null | undefined {
    if (!this.#status.step()) return "";
    const agent = this.#status.agents().find((one) => one.agent === this.#name);
    if (agent === undefined) {
      this.#refusal = noSuchAgent(this.#name, this.#status.agents());
      return this.#refusal.next();
    }
    this.#walk = this.#sources.view.walkAgents();
    const head = JSON.stringify(this.#head(agent));
    return `${head.slice(0, -1)},"members":[`;
  }

  #head(agent: AgentStatus): Omit<MembersView, "members"> {
    const { host } = this.#sources;
    const time = wallTime(this.#sources);
    const plan = this.#sources.view.planOf(agent.worstKey);
    return {
      v: PROTOCOL,
      host,
      time,
      agent: agentRow(agent, this.#sources),
      ...(plan === undefined ? {} : { plan }),
      ...(Number.isNaN(agent.stallsOfDay)
        ? {}
        : { stalls_24h: agent.stallsOfDay, recoveries_24h: agent.recoveriesOfDay }),
    };
  }

  /** "" for one of another agent, or one that was met before. */
  #row(member: AgentView): string {
    const { agent, pid, source } = member;
    const key = `${source}/${pid}`;
    if (agent !== this.#name || this.#seen.has(key)) return "";
    const comma = this.#seen.size > 0 ? "," : "";
    this.#seen.add(key);
    const row: MemberStatusView = {
      pid,
      source: source === "" ? null : source,
      state: member.state,
      silence_ms: Math.max(0, wholeMsFromNs(member.silenceNs)),
      threshold_ms: wholeMsFromNs(member.thresholdNs),
      ...(member.askedNs > 0 ? { asked_ms: wholeMsFromNs(member.askedNs) } : {}),
      status: statusText(member.status) as MemberStatusView["status"],
      beats: member.beats,
      age_ms: wholeMsFromNs(member.ageNs),
      unit: member.unit,
      muted: muteView(this.#sources.view.muteOfMember(member), this.#sources),
      ...(member.said === null ? {} : { said: member.said }),
    };
    return comma + JSON.stringify(row);
  }
}
