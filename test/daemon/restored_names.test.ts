// Members that are named together beside a twin that names each one alone.
import { describe, expect, test } from "bun:test";
import { AGENT_OTHER, AGENTS } from "../../src/agents/agent_table.ts";
import type { MemberRule, RuleFinder } from "../../src/agents/rules.ts";
import { ORIGIN_KERNEL_ATTESTED, ORIGIN_NETWORK_UNVERIFIED } from "../../src/base/origin.ts";
import { nameRestored } from "../../src/daemon/restored_names.ts";
import { Identification } from "../../src/observer/identification.ts";
import { continuationOf } from "../../src/snapshot/continuation.ts";
import type { MemberRecord } from "../../src/snapshot/records.ts";
import { type RestoredMembers, restoreMembers } from "../../src/snapshot/restored_members.ts";
import { restoreSlots } from "../../src/tracker/restored_slots.ts";
import { Random } from "../simulation/random.ts";
import { MEMBER, memberRows, MOMENT } from "../snapshot/states.ts";
import { ScriptedIdentities } from "../support/scripted_identities.ts";
import { Harness } from "../tracker/harness.ts";

const NOW_NS = 0;
const RULE: MemberRule = {
  ...{ name: undefined, bindsOwner: true, index: 3, announce: false, thresholdNs: 40e9 },
  ...{ thresholdMinNs: 20e9, thresholdMaxNs: 80e9, lateNs: 10e9, graceNs: 200e9 },
};
/** The database has its own threshold, a late and a grace; the others have the default. */
const FIND_RULE: RuleFinder = ({ identity }) => (identity?.comm === "db" ? RULE : undefined);

class Subject extends Harness {
  readonly members: RestoredMembers;
  readonly identification = new Identification({
    tracker: this.tracker,
    reader: new ScriptedIdentities(),
    listenerNames: ["local"],
    keepsFacts: true,
    findRule: FIND_RULE,
    monotonicNs: () => 0,
  });

  constructor(records: readonly MemberRecord[]) {
    super({ capacity: 10_000 });
    const here = { ...MOMENT, observerNs: NOW_NS };
    const { members } = restoreMembers(memberRows(records), continuationOf(MOMENT, here, false), {
      capacity: 10_000,
      hasEnded: () => false,
    });
    this.members = restoreSlots(this.tracker.table, members, () => 0);
  }

  /** Each for itself. */
  nameOneByOne(): void {
    for (const [slot, { record }] of [...this.members].entries()) {
      const { program: mark, comm, ...identity } = record;
      const isKnown = comm !== "" && mark !== 0;
      const isLocal = record.origin === ORIGIN_KERNEL_ATTESTED && !Number.isNaN(record.generation);
      if (!isKnown && isLocal) continue;
      const { uid, gid, user, exe, script, unit, unitUser, container } = identity;
      const known = { uid, gid, user, comm, exe, script, mark, unit, unitUser, container };
      this.identification.restore(slot, isKnown ? known : undefined, NOW_NS);
    }
  }

  /** What is known of each, by pid. */
  seen(): unknown[] {
    const { slots, table } = this.tracker;
    this.tracker.checkInvariants();
    return [...this.members.rowOf.keys()].map((slot) => {
      const { agents, lanes } = table;
      const agent = slots.agent[slot]!;
      const { identity, ...facts } = table.facts[slot] ?? {};
      return {
        facts,
        who: identity && { ...identity, mark: slots.program[slot] },
        ...{ pid: slots.pid[slot], rule: slots.rule[slot], looked: slots.lookedNs[slot] },
        ...{ agent: agents.nameOf(agent), of: agents.membersOf(agent) },
        ...{ present: agents.presentOf(agent), threshold: lanes.thresholdOf(slot) },
        ...{ late: lanes.lateOf(slot), grace: slots.graceEndNs[slot] },
        ...{ due: lanes.deadlineOf(slot), isLatched: slots.isLatched(slot) },
      };
    });
  }
}

function mixed(random: Random, count: number): MemberRecord[] {
  return Array.from({ length: count }, (_, at) => {
    const isRemote = random.chance(0.1);
    const uid = isRemote ? Number.NaN : random.pick([0, 1000]);
    return {
      ...{ ...MEMBER, pid: 100 + at, key: 100 + at, uid, gid: random.pick([0, 5]) },
      origin: isRemote ? ORIGIN_NETWORK_UNVERIFIED : ORIGIN_KERNEL_ATTESTED,
      ...{ unit: "", script: "", user: uid === 0 ? "root" : "app" },
      comm: random.pick(["worker", "worker", "api", "db", ""]),
      program: random.pick([77, 78, 0]),
      askedNs: random.pick([0, 30e9]),
      lastNs: 80e9 + random.below(10_000) * 1e5,
      firstNs: random.below(80) * 1e9,
      hasEnded: random.chance(0.1),
      ...(random.chance(0.1) && { isStalled: true, stalledNs: 88e9 }),
      generation: isRemote || random.chance(0.1) ? Number.NaN : 5_000,
    };
  });
}

describe("nameRestored()", () => {
  test("names each member as if it were alone", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const records = mixed(new Random(seed), 200);
      const subject = new Subject(records);
      nameRestored(subject.members, subject.identification, NOW_NS);
      const twin = new Subject(records);
      twin.nameOneByOne();
      expect(subject.seen()).toEqual(twin.seen());
      expect(subject.identification.freshCount).toBe(twin.identification.freshCount);
    }
  });

  test("leaves nobody without a name who is known", () => {
    const records = Array.from({ length: 3_000 }, (_, at) => ({
      ...{ ...MEMBER, pid: 100 + at, key: 100 + at, program: 1 + (at % 7) },
    }));
    const subject = new Subject(records);
    nameRestored(subject.members, subject.identification, NOW_NS);
    const { slots, table } = subject.tracker;
    expect(table.agents.membersOf(table.agents.numberOf("worker@3")!)).toBe(3_000);
    expect(Array.from(slots.program).slice(0, 3_000)).toEqual(
      Array.from(subject.members, ({ record }) => record.program),
    );
    expect(subject.identification.freshCount).toBe(0);
    subject.tracker.checkInvariants();
  });

  test("counts each of those for whose names there is no place", () => {
    // Names that anybody can make up have half of the places.
    const records = Array.from({ length: 4_000 }, (_, at) => ({
      ...{ ...MEMBER, pid: 100 + at, key: 100 + at, unit: "", script: "" },
      comm: `program-${at % 3_000}`,
    }));
    const subject = new Subject(records);
    nameRestored(subject.members, subject.identification, NOW_NS);
    const twin = new Subject(records);
    twin.nameOneByOne();
    expect(subject.seen()).toEqual(twin.seen());
    const { agents } = subject.tracker.table;
    expect(agents.membersOf(AGENT_OTHER)).toBeGreaterThan(100);
    const refused = (table: Subject["tracker"]["table"]) =>
      table.agents.counters.get(AGENTS.sharedOther);
    expect(refused(subject.tracker.table)).toBe(refused(twin.tracker.table));
  });
});
