// Members of an observer that are given their agents without a look at their processes.
import { OWNER_RULE } from "../../src/agents/naming.ts";
import { BATCH_SIZE } from "../../src/base/limits.ts";
import { RULE_NONE } from "../../src/agents/rules.ts";
import type { ObserverHarness } from "../observer/harness.ts";
import { THRESHOLD_NS } from "../observer/harness.ts";
import { beatOf } from "./scripted_listener.ts";

/** The first beat of each pid, whose agent is then `nameOf(pid)`. */
export function joinMembers(
  harness: ObserverHarness,
  pids: readonly number[],
  nameOf: (pid: number) => string,
): void {
  for (const pid of pids) harness.processes.set(pid, 1);
  for (let at = 0; at < pids.length; at += BATCH_SIZE)
    harness.receive(...pids.slice(at, at + BATCH_SIZE).map((pid) => beatOf(pid)));
  const { table, slots } = harness.observer.tracker;
  const terms = { thresholdNs: THRESHOLD_NS, lateNs: THRESHOLD_NS / 2, graceNs: 0 };
  for (const pid of pids) {
    const name = { text: nameOf(pid), owner: OWNER_RULE, user: "", isFree: false };
    const slot = harness.observer.tracker.slotOf(pid);
    if (slots.pid[slot] !== pid) throw new Error(`pid ${pid} is no member`);
    const agent = table.agents.numberFor(name);
    table.identified(slot, { ...terms, agent, rule: RULE_NONE, program: 0 }, harness.clock.ns);
  }
}
