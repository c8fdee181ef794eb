// Members are named after the batch that brought them, within a bounded time, and before they are
// judged.
import { describe, expect, test } from "bun:test";
import {
  IDENTITY_LOOK_EVERY_NS,
  IDENTITY_NS_PER_TURN_MAX,
  IDENTITY_PUT_OFF_NS_MAX,
} from "../../src/base/limits.ts";
import { ORIGIN_KEY_ATTESTED } from "../../src/base/origin.ts";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { MemberNames, NAMES } from "../../src/agents/announcing.ts";
import { type MemberRule, RULE_NONE, type RuleFinder } from "../../src/agents/rules.ts";
import { IDENTITY, Identification } from "../../src/observer/identification.ts";
import { Rematch } from "../../src/daemon/reload/rematch.ts";
import { ScriptedIdentities } from "../support/scripted_identities.ts";
import { beatOf, type Datagram, helloOf, ScriptedListener } from "../support/scripted_listener.ts";
import { ObserverHarness, THRESHOLD_NS } from "./harness.ts";

const NS_PER_MINUTE = 60 * NS_PER_S;

const RULE = {
  name: undefined,
  bindsOwner: true,
  index: 7,
  thresholdNs: THRESHOLD_NS,
  thresholdMinNs: THRESHOLD_NS,
  thresholdMaxNs: THRESHOLD_NS,
  lateNs: Number.POSITIVE_INFINITY,
  graceNs: 0,
};

/** So that the last look at a member is too old when it is judged. */
const LONG_NS = 4 * NS_PER_S;

/** Hears members between half of the threshold and the double. */
const HEARS = { ...RULE, thresholdMinNs: THRESHOLD_NS / 2, thresholdMaxNs: 2 * THRESHOLD_NS };

/** Programs whose name begins with "fast" have half of it, those with "slow" the double. */
const BY_PACE: RuleFinder = ({ identity }) => {
  const comm = identity?.comm ?? "";
  if (comm.startsWith("fast")) return { ...RULE, thresholdNs: LONG_NS / 2 };
  return comm.startsWith("slow") ? { ...RULE, thresholdNs: 2 * LONG_NS } : undefined;
};

class Subject extends ObserverHarness {
  readonly identities = new ScriptedIdentities();
  /** Time that each look takes. */
  lookNs = 0;
  #monotonicNs = 0;
  #nonce = 0;
  readonly #findRule: RuleFinder | undefined;
  identification: Identification;
  /** Members of which was said that they came. */
  readonly came: string[] = [];

  constructor(
    findRule?: RuleFinder,
    listener = new ScriptedListener(),
    thresholdNs: number = THRESHOLD_NS,
  ) {
    super({ listeners: [listener], trackerCapacity: 1_024, thresholdNs });
    this.identities.onLook = () => {
      this.#monotonicNs += this.lookNs;
    };
    this.#findRule = findRule;
    this.identification = this.#identifies();
  }

  /** What members announce is heard from now on. */
  hear(names: MemberNames): void {
    this.identification = this.#identifies({ names });
  }

  #identifies(more: { names?: MemberNames } = {}): Identification {
    return new Identification({
      ...more,
      tracker: this.observer.tracker,
      reader: this.identities,
      listenerNames: this.listeners.map(({ name }) => name),
      findRule: this.#findRule,
      keepsFacts: true,
      came: (agent, { pid }) =>
        this.came.push(`${this.observer.tracker.table.agents.nameOf(agent)} ${pid}`),
      monotonicNs: () => this.#monotonicNs,
    });
  }

  /** One beat of each, in one turn. */
  turn(...pids: number[]): void {
    this.#nonce += 1;
    const beats = pids.map((pid) => {
      if (!this.processes.table.has(pid)) this.processes.set(pid, pid);
      return beatOf(pid, { nonce: this.#nonce });
    });
    this.turnOf(...beats);
  }

  turnOf(...datagrams: Datagram[]): void {
    this.identification.beginTurn();
    if (datagrams.length === 0) this.pump();
    else this.receive(...datagrams);
    this.identification.advance(this.observer.clock.lastNs);
    this.observer.tracker.checkInvariants();
  }

  wait(ns: number): void {
    this.clock.ns += ns;
  }

  nameOf(pid: number): string {
    const { tracker } = this.observer;
    return tracker.table.agents.nameOf(tracker.agentOf(pid));
  }

  ruleOf(pid: number): number {
    const { tracker } = this.observer;
    return tracker.slots.rule[tracker.slotOf(pid)]!;
  }

  count(result: keyof typeof IDENTITY.looks): number {
    return this.identification.counters.get(IDENTITY.looks[result]);
  }

  /** Names of those whose stall was judged in this turn. */
  stalledNames(): string[] {
    const names: string[] = [];
    for (let stall = this.observer.takeStall(); stall; stall = this.observer.takeStall())
      names.push(this.observer.tracker.table.agents.nameOf(stall.agent));
    return names;
  }
}

describe("a member is named", () => {
  test("in the turn of its first beat, and counted with its agent", () => {
    const subject = new Subject();
    for (const pid of [10, 11]) subject.identities.table.set(pid, { comm: "nginx" });
    subject.identities.table.set(12, { unit: "worker@3.service", comm: "python3" });
    subject.turn(10, 11, 12, 13);
    expect([10, 11, 12, 13].map((pid) => subject.nameOf(pid))).toEqual([
      "nginx",
      "nginx",
      "worker@3",
      "uid-1000",
    ]);
    const { tracker } = subject.observer;
    expect(tracker.table.agents.membersOf(tracker.agentOf(10))).toBe(2);
    expect([subject.count("read"), subject.count("gone")]).toEqual([3, 1]);
    // 13 had ended by then.
    expect(subject.came).toEqual(["nginx 10", "nginx 11", "worker@3 12"]);
  });

  test("by the first rule that matches it", () => {
    const seen: string[] = [];
    const subject = new Subject((facts) => {
      seen.push(`${facts.pid} ${facts.user} ${facts.identity?.comm} ${facts.listener}`);
      return { ...RULE, name: "api-{comm}" };
    });
    subject.identities.table.set(10, { comm: "node" });
    subject.turn(10);
    expect(subject.nameOf(10)).toBe("api-node");
    expect(seen).toEqual([`10 user1000 node ${subject.listener.name}`]);
  });

  test("by its address, without a look at the processes of this machine", () => {
    const listener = new ScriptedListener({ kind: "udp", sources: true });
    const subject = new Subject(undefined, listener);
    subject.turnOf({ ...beatOf(7), peerPid: 0, origin: 3, from: 9 });
    const { tracker } = subject.observer;
    expect(tracker.table.agents.nameOf(tracker.slots.agent[0]!)).toBe("10.0.0.9/7");
    expect(subject.identities.looks).toEqual([]);
    expect(subject.count("remote")).toBe(1);
    expect(subject.came).toEqual(["10.0.0.9/7 7"]);
    subject.wait(IDENTITY_LOOK_EVERY_NS);
    subject.turn();
    expect(subject.came).toHaveLength(1);
  });

  test("by its address, too, where a key vouches for it; it is no part of who it is", () => {
    const seen: string[] = [];
    const findRule: RuleFinder = ({ address, uid }) => {
      seen.push(`${address} ${uid}`);
      return undefined;
    };
    const listener = new ScriptedListener({ kind: "secure-udp", addresses: true });
    const subject = new Subject(findRule, listener);
    const keyed = (nonce: number, from: number) =>
      beatOf(7, { peerPid: 0, origin: ORIGIN_KEY_ATTESTED, nonce, from });
    subject.turnOf(keyed(1, 9), keyed(2, 9));
    expect(subject.nameOf(7)).toBe("10.0.0.9/7");
    // It moved to another address, and is the same member with the same name.
    subject.turnOf(keyed(3, 8));
    const { tracker } = subject.observer;
    expect([tracker.len, subject.nameOf(7)]).toEqual([1, "10.0.0.9/7"]);
    expect(subject.moved()).toEqual(["accepted 3"]);
    expect(seen).toEqual(["10.0.0.9 NaN"]);
    subject.pass(THRESHOLD_NS / NS_PER_MS);
    subject.turnOf();
    const stall = subject.observer.takeStall()!;
    expect([stall.origin, stall.source]).toEqual([ORIGIN_KEY_ATTESTED, ""]);
  });

  test("anew if another process has its pid", () => {
    const subject = new Subject();
    subject.identities.table.set(10, { comm: "old" });
    subject.turn(10);
    const { agents } = subject.observer.tracker.table;
    const old = subject.observer.tracker.agentOf(10);
    subject.processes.set(10, 999);
    subject.identities.table.set(10, { comm: "new" });
    subject.wait(2 * THRESHOLD_NS);
    subject.turn(10);
    expect([subject.nameOf(10), agents.membersOf(old)]).toEqual(["new", 0]);
  });
});

describe("the threshold of a member", () => {
  function thresholdOf({ observer }: Subject, pid: number): number {
    return observer.tracker.thresholdOf(observer.tracker.slotOf(pid));
  }

  test("is that of its rule from the turn of its first beat on", () => {
    const subject = new Subject(BY_PACE, undefined, LONG_NS);
    subject.identities.table.set(10, { comm: "fast" });
    subject.identities.table.set(11, { comm: "slow" });
    subject.identities.table.set(12, { comm: "nginx" });
    subject.turn(10, 11, 12);
    expect([10, 11, 12].map((pid) => thresholdOf(subject, pid) / LONG_NS)).toEqual([0.5, 2, 1]);
    expect([10, 12].map((pid) => subject.ruleOf(pid))).toEqual([7, RULE_NONE]);
    subject.wait(LONG_NS / 2);
    subject.turn();
    expect(subject.stalledNames()).toEqual(["fast"]);
    subject.wait(LONG_NS);
    subject.turn();
    expect(subject.stalledNames()).toEqual(["nginx"]);
    subject.wait(LONG_NS / 2);
    subject.turn();
    expect(subject.stalledNames()).toEqual(["slow"]);
  });

  test("and its rule are in its stall", () => {
    const subject = new Subject(BY_PACE, undefined, LONG_NS);
    subject.identities.table.set(10, { comm: "slow" });
    subject.turn(10);
    subject.wait(2 * LONG_NS);
    subject.turn();
    const stall = subject.observer.takeStall();
    expect([stall?.rule, stall?.thresholdNs]).toEqual([7, 2 * LONG_NS]);
  });

  test("is another one when it runs a program of another rule", () => {
    const subject = new Subject(BY_PACE, undefined, NS_PER_MINUTE);
    subject.identities.table.set(10, { comm: "slow" });
    subject.turn(10);
    subject.identities.table.set(10, { comm: "nginx" });
    subject.wait(IDENTITY_LOOK_EVERY_NS);
    subject.turn(10);
    expect([thresholdOf(subject, 10), subject.ruleOf(10)]).toEqual([NS_PER_MINUTE, RULE_NONE]);
  });

  test("is asked again when it is due: by a longer one it is not due yet", () => {
    const subject = new Subject(BY_PACE, undefined, LONG_NS);
    subject.identities.table.set(10, { comm: "fast" });
    subject.identities.table.set(11, { comm: "fast" });
    subject.turn(10, 11);
    subject.identities.table.set(10, { comm: "slow" });
    // Longer than a look is good for.
    subject.wait(1.5 * LONG_NS);
    subject.turn();
    expect(subject.stalledNames()).toEqual(["fast"]);
    expect(thresholdOf(subject, 10)).toBe(2 * LONG_NS);
    subject.wait(LONG_NS / 2);
    subject.turn();
    expect(subject.stalledNames()).toEqual(["slow"]);
  });
});

describe("a member that runs another program", () => {
  test("gets the name of that within a few seconds", () => {
    const subject = new Subject(undefined, undefined, NS_PER_MINUTE);
    subject.identities.table.set(10, { comm: "vc-boot" });
    subject.turn(10);
    const boot = subject.observer.tracker.agentOf(10);
    subject.identities.table.set(10, { comm: "vc-real" });
    subject.wait(IDENTITY_LOOK_EVERY_NS - NS_PER_MS);
    subject.turn(10);
    expect(subject.nameOf(10)).toBe("vc-boot");
    subject.wait(NS_PER_MS);
    subject.turn(10);
    expect(subject.nameOf(10)).toBe("vc-real");
    expect(subject.observer.tracker.table.agents.membersOf(boot)).toBe(0);
    expect(subject.identification.counters.get(IDENTITY.renamed)).toBe(1);
  });

  test("is judged under the name of that", () => {
    const subject = new Subject();
    subject.identities.table.set(10, { comm: "vc-boot" });
    subject.turn(10);
    subject.identities.table.set(10, { comm: "vc-real" });
    subject.wait(2 * NS_PER_S);
    subject.turn();
    expect(subject.stalledNames()).toEqual(["vc-real"]);
  });

  test("keeps its name if it is gone by then", () => {
    const subject = new Subject();
    subject.identities.table.set(10, { comm: "nginx" });
    subject.turn(10);
    subject.identities.table.clear();
    subject.wait(2 * NS_PER_S);
    subject.turn();
    expect(subject.stalledNames()).toEqual(["nginx"]);
    expect(subject.identification.counters.get(IDENTITY.renamed)).toBe(0);
  });

  test("gets a name when it can be read later", () => {
    const subject = new Subject();
    subject.turn(10);
    expect(subject.nameOf(10)).toBe("uid-1000");
    subject.identities.table.set(10, { comm: "nginx" });
    subject.wait(IDENTITY_LOOK_EVERY_NS);
    expect(subject.came).toEqual([]);
    subject.turn(10);
    expect(subject.nameOf(10)).toBe("nginx");
    expect(subject.came).toEqual(["nginx 10"]);
  });

  test("is not named anew as long as it is the same", () => {
    const subject = new Subject(undefined, undefined, NS_PER_MINUTE);
    subject.identities.table.set(10, { comm: "nginx" });
    for (let look = 0; look < 4; look++) {
      subject.turn(10);
      subject.wait(IDENTITY_LOOK_EVERY_NS);
    }
    expect([subject.count("read"), subject.count("unchanged")]).toEqual([1, 3]);
    expect(subject.came).toEqual(["nginx 10"]);
  });
});

test("known members are looked at again at most 250 times a second, in turn", () => {
  const subject = new Subject(undefined, undefined, NS_PER_MINUTE);
  for (let first = 100; first < 700; first += 50) {
    const pids = Array.from({ length: 50 }, (_, number) => first + number);
    for (const pid of pids) subject.identities.table.set(pid, { comm: "worker" });
    subject.turn(...pids);
  }
  subject.identities.looks.length = 0;
  subject.wait(IDENTITY_LOOK_EVERY_NS);
  subject.turn();
  expect(subject.count("unchanged")).toBe(251);
  subject.wait(20 * NS_PER_MS);
  subject.turn();
  expect(subject.count("unchanged")).toBe(256);
  expect(subject.identities.looks).toEqual(Array.from({ length: 256 }, (_, at) => 100 + at));
});

describe("the time of a turn", () => {
  const PIDS = Array.from({ length: 50 }, (_, number) => 100 + number);

  test("bounds the looks, and the rest is looked at in the next turns, in order", () => {
    const subject = new Subject();
    subject.lookNs = IDENTITY_NS_PER_TURN_MAX / 20;
    subject.turn(...PIDS);
    expect(subject.identification.waitingCount).toBe(30);
    subject.turn();
    expect(subject.identification.waitingCount).toBe(10);
    subject.turn();
    expect(subject.identification.waitingCount).toBe(0);
    expect(subject.identities.looks).toEqual(PIDS);
  });

  test("puts off the first judgement of a member, not for longer than 50 ms", () => {
    const subject = new Subject();
    subject.lookNs = IDENTITY_NS_PER_TURN_MAX;
    for (const pid of [10, 11, 12]) subject.identities.table.set(pid, { comm: `c${pid}` });
    subject.turn(10, 11, 12);
    subject.wait(THRESHOLD_NS);
    // The first has its name; the time of the turn is used up by a look at the second.
    subject.turn();
    expect(subject.stalledNames()).toEqual(["c10", "c11"]);
    expect(subject.identification.counters.get(IDENTITY.putOff)).toBe(1);
    subject.wait(NS_PER_MS);
    subject.turn();
    expect(subject.stalledNames()).toEqual(["c12"]);
    expect(subject.identification.counters.get(IDENTITY.judgedUnknown)).toBe(0);
  });

  test("is no reason to judge later than that: then the uid is the name", () => {
    const subject = new Subject();
    subject.lookNs = IDENTITY_NS_PER_TURN_MAX;
    subject.identities.table.set(10, { comm: "slow" });
    subject.turn(9, 10);
    subject.wait(THRESHOLD_NS);
    // Others take the time of every turn.
    subject.identification.beginTurn();
    subject.identification.mayJudge(0, subject.clock.ns + 10 * NS_PER_S);
    subject.wait(IDENTITY_PUT_OFF_NS_MAX - 1);
    subject.pump();
    expect(subject.stalledNames()).toEqual(["uid-1000"]);
    subject.wait(1);
    subject.pump();
    expect(subject.stalledNames()).toEqual(["uid-1000"]);
    expect(subject.identification.counters.get(IDENTITY.judgedUnknown)).toBe(1);
    expect(subject.identities.looks).not.toContain(10);
  });
});

describe("a threshold that a member asks for", () => {
  const ask = (subject: Subject, pid: number, askedNs: number) => {
    const { tracker, clock } = subject.observer;
    const slot = tracker.slotOf(pid);
    subject.identification.askThreshold(slot, askedNs, clock.lastNs);
    tracker.checkInvariants();
    return tracker.thresholdOf(slot);
  };

  test("is its own at once, the last one counts, and nothing changes nothing", () => {
    const subject = new Subject(() => HEARS);
    subject.turn(10);
    expect(ask(subject, 10, THRESHOLD_NS * 1.5)).toBe(THRESHOLD_NS * 1.5);
    expect(ask(subject, 10, 1)).toBe(THRESHOLD_NS / 2);
    expect(ask(subject, 10, Number.NaN)).toBe(THRESHOLD_NS / 2);
    expect(ask(subject, 10, 1e18)).toBe(2 * THRESHOLD_NS);
  });

  test("is given when it is named, if it asked before", () => {
    const subject = new Subject(() => HEARS);
    subject.receive(beatOf(10, { nonce: 1 }));
    expect(ask(subject, 10, 1)).toBe(THRESHOLD_NS);
    subject.identification.advance(subject.observer.clock.lastNs);
    expect(subject.observer.tracker.thresholdOf(0)).toBe(THRESHOLD_NS / 2);
  });

  test("outlives every further look, and its rule", () => {
    const subject = new Subject(() => HEARS);
    subject.turn(10);
    ask(subject, 10, 1);
    subject.wait(THRESHOLD_NS / 4);
    subject.turn(10);
    subject.identification.changeRules(() => ({ ...HEARS, thresholdMinNs: THRESHOLD_NS }));
    subject.identities.table.set(10, { comm: "another" });
    subject.wait(6 * NS_PER_S);
    subject.turn(10);
    expect(subject.nameOf(10)).toBe("another");
    expect(subject.observer.tracker.thresholdOf(0)).toBe(THRESHOLD_NS);
    expect(ask(subject, 10, 1)).toBe(THRESHOLD_NS);
  });

  test("is nobody's who takes over the pid", () => {
    const subject = new Subject(() => HEARS);
    subject.turn(10);
    ask(subject, 10, 1);
    subject.wait(2 * NS_PER_S);
    subject.processes.set(10, 11);
    subject.turn(10);
    expect(subject.observer.tracker.slots.generation[0]).toBe(11);
    expect(subject.observer.tracker.thresholdOf(0)).toBe(THRESHOLD_NS);
  });

  test("judges no silence of before it was asked for", () => {
    const subject = new Subject(() => HEARS);
    subject.turn(10);
    subject.wait(THRESHOLD_NS * 0.75);
    subject.turnOf();
    ask(subject, 10, 1);
    subject.turnOf();
    expect(subject.stalledNames()).toEqual([]);
    subject.wait(THRESHOLD_NS * 0.25);
    subject.turnOf();
    expect(subject.stalledNames()).toHaveLength(1);
  });
});

describe("a member that announces a name", () => {
  const RULES: Readonly<Record<string, MemberRule>> = {
    web: { ...RULE, name: "web", bindsOwner: false, announce: true },
    job: { ...RULE, index: 8, name: undefined, announce: ["job-*", "db"] },
  };
  const byComm: RuleFinder = ({ identity }) => RULES[identity?.comm ?? ""];

  function subject() {
    const own = new Subject(byComm);
    const { agents } = own.observer.tracker.table;
    const names = new MemberNames(agents, { ofRules: new Set(["db"]), expected: new Set(["q"]) });
    const refused: string[] = [];
    names.onRefused = ({ pid, announced }, reason) => refused.push(`${pid} ${announced} ${reason}`);
    own.hear(names);
    for (let pid = 2; pid < 9; pid++) {
      own.processes.set(pid, pid);
      own.identities.table.set(pid, { comm: pid < 5 ? "web" : "job" });
    }
    return { own, names, refused };
  }

  test("has it from the turn of its hello on, and so does one that beats already", () => {
    const { own, refused } = subject();
    own.turnOf(helloOf(2, { name: "front" }), beatOf(3));
    expect([own.nameOf(2), own.nameOf(3)]).toEqual(["front", "web"]);
    expect(own.came).toEqual(["front 2", "web 3"]);
    own.turnOf(helloOf(3, { name: "front", nonce: 2 }), helloOf(5, { name: "job-7" }));
    expect([own.nameOf(3), own.nameOf(5)]).toEqual(["front", "job-7"]);
    expect(own.came).toHaveLength(3);
    own.turnOf(helloOf(3, { nonce: 3 }));
    expect(own.nameOf(3)).toBe("web");
    expect(refused).toEqual([]);
  });

  test("keeps the rule that takes it: a name is all that it chooses", () => {
    const { own } = subject();
    own.turnOf(helloOf(5, { name: "job-7" }));
    expect(own.ruleOf(5)).toBe(8);
  });

  test("keeps its own name where it may not have it, which is counted and said", () => {
    const { own, names, refused } = subject();
    own.turnOf(
      helloOf(5, { name: "front" }),
      helloOf(6, { name: "db" }),
      helloOf(2, { name: "q" }),
    );
    expect([own.nameOf(5), own.nameOf(6), own.nameOf(2)]).toEqual(["job", "job", "web"]);
    expect(refused).toEqual(["5 front not_allowed", "6 db other_rule", "2 q expected"]);
    own.turnOf(helloOf(2, { name: "front" }));
    own.turnOf(helloOf(3, { name: "front", peerUid: 1001 }));
    expect(refused.at(-1)).toBe("3 front other_owner");
    expect(names.counters.get(NAMES.refused.other_owner)).toBe(1);
    expect(own.nameOf(3)).toBe("user1001:web");
  });

  test("has it again after another program of its began, and when it comes back", () => {
    const { own } = subject();
    own.turnOf(helloOf(2, { name: "front" }));
    own.identities.table.set(2, { comm: "job" });
    own.wait(IDENTITY_LOOK_EVERY_NS);
    own.turnOf();
    // The rule of the other program does not let it be called so.
    expect(own.nameOf(2)).toBe("job");
    own.identities.table.set(2, { comm: "web" });
    own.wait(IDENTITY_LOOK_EVERY_NS);
    own.turnOf();
    expect(own.nameOf(2)).toBe("front");
  });

  test("loses it by a reload that takes it away, and has it back by another one", () => {
    const { own } = subject();
    own.turnOf(helloOf(2, { name: "front" }), beatOf(3));
    const { tracker, clock } = own.observer;
    const reload = (announce: boolean | string[], ofRules: string[] = []): void => {
      const rematch = new Rematch({
        tracker,
        findRule: () => ({ ...RULES["web"]!, announce }),
        taken: { ofRules: new Set(ofRules), expected: new Set() },
        thresholdNs: THRESHOLD_NS,
        monotonicNs: () => 0,
      });
      rematch.advance(Number.POSITIVE_INFINITY);
      rematch.swap(clock.lastNs, () => {});
    };
    for (const [announce, ofRules, name] of [
      [false, [], "web"],
      [["front"], [], "front"],
      [true, ["front"], "web"],
    ] as const) {
      reload(typeof announce === "boolean" ? announce : [...announce], [...ofRules]);
      expect([own.nameOf(2), own.nameOf(3)]).toEqual([name, "web"]);
    }
    tracker.checkInvariants();
  });

  test("over the network shares its name with others of no owner alone", () => {
    const { own, refused } = subject();
    const keyed = { peerPid: 0, origin: ORIGIN_KEY_ATTESTED };
    const all = { ...RULE, announce: true };
    own.identification.changeRules(() => all);
    own.turnOf(helloOf(7, { name: "far", ...keyed }), helloOf(8, { name: "far", ...keyed }));
    expect([own.nameOf(7), own.nameOf(8)]).toEqual(["far", "far"]);
    own.turnOf(helloOf(2, { name: "far" }));
    expect(refused).toEqual(["2 far other_owner"]);
  });

  test("asks for a threshold of three of its intervals, as far as its rule hears it", () => {
    const { own } = subject();
    own.identification.changeRules(() => HEARS);
    const thresholdOf = (pid: number) =>
      own.observer.tracker.thresholdOf(own.observer.tracker.slotOf(pid));
    own.turnOf(helloOf(2, { intervalMs: 40 }), beatOf(3));
    expect([thresholdOf(2), thresholdOf(3)]).toEqual([120 * NS_PER_MS, THRESHOLD_NS]);
    own.turnOf(helloOf(3, { intervalMs: 60_000, nonce: 2 }));
    expect(thresholdOf(3)).toBe(2 * THRESHOLD_NS);
    own.turnOf(helloOf(3, { intervalMs: 0, nonce: 3 }));
    expect(thresholdOf(3)).toBe(2 * THRESHOLD_NS);
  });
});
