// Many members of few kinds become identified at once, at a start with a state (spec 18 section 6):
// in one loop for all of them, since as many calls as members take as long as all the rest.
import { AGENT_NEW } from "../agents/agent_table.ts";
import type { Identified, SlotTable } from "./slot_table.ts";

export interface AlikeMembers {
  /** Nobody has looked at them, and their processes run. */
  readonly slots: Int32Array;
  /** By slot: which kind is its, and the mark of the program that it runs. */
  readonly kindOf: Int32Array;
  readonly programOf: Uint32Array;
}

/** As `identified` of each. Of each of `kinds` one member is identified already. */
export function identifyAlike(
  table: SlotTable,
  { slots: alike, kindOf, programOf }: AlikeMembers,
  kinds: readonly Identified[],
  nowNs: number,
): void {
  const { slots } = table;
  const { agent, rule, program } = slots;
  const agents = Uint32Array.from(kinds, (kind) => kind.agent);
  const rules = Uint16Array.from(kinds, (kind) => kind.rule);
  const counts = new Uint32Array(kinds.length);
  const absent = new Uint32Array(kinds.length);
  for (let at = 0; at < alike.length; at++) {
    const slot = alike[at]!;
    const kind = kindOf[slot]!;
    agent[slot] = agents[kind]!;
    rule[slot] = rules[kind]!;
    program[slot] = programOf[slot]!;
    counts[kind]! += 1;
    if (!slots.isPresent(slot)) absent[kind]! += 1;
  }
  const absentOfAll = absent.reduce((sum, count) => sum + count, 0);
  table.agents.leaveMany(AGENT_NEW, alike.length, absentOfAll);
  for (let kind = 0; kind < kinds.length; kind++)
    table.agents.joinMany(agents[kind]!, counts[kind]!, absent[kind]!);
  changeTerms(table, alike, kindOf, kinds);
  table.looks.lookedAll(alike, nowNs);
}

function changeTerms(
  { lanes, thresholdNs }: SlotTable,
  alike: Int32Array,
  kindOf: Int32Array,
  kinds: readonly Identified[],
): void {
  const isChanged = Uint8Array.from(kinds, (kind) =>
    Number(
      kind.thresholdNs !== thresholdNs ||
        kind.graceNs > 0 ||
        kind.lateNs !== Number.POSITIVE_INFINITY,
    ),
  );
  if (!isChanged.includes(1)) return;
  for (let at = 0; at < alike.length; at++) {
    const slot = alike[at]!;
    const kind = kindOf[slot]!;
    if (isChanged[kind] === 1) lanes.change(slot, kinds[kind]!);
  }
}
