// What has changed, for people: the asker's table and the line of the log say the same of a rule,
// how many members it has and from when on they are judged by it (spec 17 section 6).
import { expectGraceNs } from "../../agents/expected_agents.ts";
import { msFromNs } from "../../base/time.ts";
import type { AgentRule, Config } from "../../config/config.ts";
import { type Change, changeLine } from "../../config/diff/diff.ts";
import type { ReloadChange } from "../../view/reload_view.ts";

/** Members that each rule has, by its index. */
export type MemberCounts = ReadonlyMap<number, number>;

interface Around {
  readonly before: Pick<Config, "agents">;
  readonly after: Pick<Config, "agents">;
  readonly had: MemberCounts;
  /** Undefined = nothing is applied, so nobody has a new rule. */
  readonly have: MemberCounts | undefined;
  /** When it was applied. */
  readonly unixMs: number;
}

export interface ShownChange extends ReloadChange {
  /** "threshold of agent worker: 5s -> 2s, 8 members" */
  readonly line: string;
}

export function shownChange(change: Change, around: Around): ShownChange {
  const members = membersOf(change, around);
  const { where, key, how } = change;
  const effect = [members, fromWhenOn(change, around)].filter((text) => text !== "").join(", ");
  const line = changeLine(change) + (members === "" ? "" : `, ${members}`);
  return { where, key, how, effect, line };
}

/** Of a rule that is gone, those that it had. */
function membersOf({ rule, ruleBefore }: Change, { had, have }: Around): string {
  const counts = rule >= 0 && have !== undefined ? have : had;
  const index = counts === had ? ruleBefore : rule;
  if (index === undefined) return "";
  const count = counts.get(index) ?? 0;
  return `${count} ${count === 1 ? "member" : "members"}`;
}

function fromWhenOn({ rule, ruleBefore, key }: Change, around: Around): string {
  const { before, after, have, unixMs } = around;
  if (rule < 0 || ruleBefore === undefined || have === undefined) return "";
  const [old, now] = [before.agents[ruleBefore]!, after.agents[rule]!];
  const members = have.get(rule) ?? 0;
  const at = (inNs: number) => new Date(unixMs + msFromNs(inNs)).toISOString();
  if (key === "threshold" && now.thresholdNs < old.thresholdNs && members > 0)
    return `judged from ${at(now.thresholdNs)}`;
  if (key === "expect" && isMore(old, now) && members < now.expect!)
    return `missing after ${at(expectGraceNs(now.graceNs))}`;
  return "";
}

function isMore(old: AgentRule, now: AgentRule): boolean {
  return now.expect !== undefined && now.expect > (old.expect ?? 0);
}
