// Messages of sd_notify under luck (spec 20): hostile, damaged and good ones of a few processes
// through the whole way of a notify listener, beside a slow model of it. Other processes ask for
// beats and goodbyes of the same ones (spec 16 section 15). After every turn both have
// the same members, with the same deadlines and words, the same stalls and the same counts.
import { expect, setDefaultTimeout, test } from "bun:test";
import { NS_PER_S } from "../../src/base/time.ts";
import { REJECT_REASONS } from "../../src/base/reject_reason.ts";
import { Identification } from "../../src/observer/identification.ts";
import { ACCEPTED, ASKED_BYE } from "../../src/observer/asked_beats.ts";
import { NOTIFY } from "../../src/observer/notify_texts.ts";
import { judgedNs } from "../../src/tracker/extensions.ts";
import { STATUS_OK } from "../../src/wire/frame.ts";
import { notifyCandidate } from "../fuzz/notify_target.ts";
import { ObserverHarness } from "../observer/harness.ts";
import { atLength } from "../support/at_length.ts";
import { ScriptedIdentities } from "../support/scripted_identities.ts";
import { ScriptedListener, textOf } from "../support/scripted_listener.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { NotifyModel, RULE_NS } from "./notify_model.ts";
import { Random } from "./random.ts";

setDefaultTimeout(TEST_MS_MAX);

const PIDS = [2, 3, 4, 5];
/** In another unit: it speaks for nobody, and nobody for it. */
const APART = 5;
const STEPS = 400;
const GOOD = [
  ...["WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1\nSTATUS=busy", "WATCHDOG=trigger", "READY=1"],
  ...["STOPPING=1", "WATCHDOG=1\nSTOPPING=1", "RELOADING=1\nERRNO=5", "MAINPID=3\nWATCHDOG=1"],
  ...["WATCHDOG=1\nMAINPID=5", "WATCHDOG=1\nMAINPID=99", "EXTEND_TIMEOUT_USEC=25000000"],
  ...["EXTEND_TIMEOUT_USEC=1", "WATCHDOG=1\nEXTEND_TIMEOUT_USEC=9999999999999", "BARRIER=1"],
  ...["WATCHDOG_USEC=3000000", "WATCHDOG=1\nWATCHDOG_USEC=41000000", "WATCHDOG_USEC=1"],
  ...["WATCHDOG_USEC=99999999999999", "STOPPING=1\nEXTEND_TIMEOUT_USEC=50000000"],
];
const WAITS_S = [0.01, 0.5, 1, 2, 3, 5, 9.99, 10, 30, 60, 91];

interface Asked {
  readonly pid: number;
  readonly isBye: boolean;
  /** Once it was taken: ACCEPTED, or the reject reason. */
  readonly result: () => number | undefined;
}

class NotifyWorld {
  readonly coverage = new Map<string, number>();
  readonly #random: Random;
  readonly #harness: ObserverHarness;
  readonly #identification: Identification;
  readonly #model = new NotifyModel(
    (sender, pid) => PIDS.includes(pid) && sender !== APART && pid !== APART,
  );
  readonly #counts = new Map<string, number>();
  /** How many of those taken came by the control socket. */
  #asked = 0;

  constructor(random: Random) {
    this.#random = random;
    const seat = (unit: string) => ({ unit, unitUser: "", cgroup: `/system.slice/${unit}` });
    const harness = new ObserverHarness({
      listeners: [new ScriptedListener({ kind: "notify" })],
      thresholdNs: RULE_NS.threshold,
      places: {
        placeOf: (pid) =>
          PIDS.includes(pid) ? seat(pid === APART ? "b.service" : "a.service") : undefined,
      },
    });
    harness.listener.batch.receivedGeneration = 1_000;
    const identities = new ScriptedIdentities();
    for (const pid of PIDS) {
      harness.processes.set(pid, 50);
      identities.table.set(pid, { comm: `program${pid}` });
    }
    this.#harness = harness;
    this.#identification = new Identification({
      tracker: harness.observer.tracker,
      reader: identities,
      listenerNames: ["notify"],
      keepsFacts: true,
      findRule: () => ({
        ...{ name: undefined, bindsOwner: true, index: 0, graceNs: 0 },
        ...{ thresholdNs: RULE_NS.threshold, lateNs: Number.POSITIVE_INFINITY },
        ...{ thresholdMinNs: RULE_NS.min, thresholdMaxNs: RULE_NS.max },
      }),
      monotonicNs: () => 0,
    });
  }

  step(): void {
    const random = this.#random;
    if (random.chance(0.4)) this.#harness.clock.ns += random.pick(WAITS_S) * NS_PER_S;
    const nowNs = this.#turn(random.below(4));
    this.#compare(nowNs);
  }

  #turn(messages: number): number {
    const random = this.#random;
    const harness = this.#harness;
    const asked = random.chance(0.3) ? this.#ask() : [];
    const said = Array.from({ length: messages }, () => {
      const pid = random.pick(PIDS);
      const isGood = random.chance(0.7);
      const bytes = isGood ? new TextEncoder().encode(random.pick(GOOD)) : notifyCandidate(random);
      return { pid, bytes };
    });
    harness.listener.queue(said.map(({ pid, bytes }) => textOf(pid, bytes)));
    this.#identification.beginTurn();
    harness.pump();
    const nowNs = harness.observer.clock.lastNs;
    // They are taken before what waits at the sockets.
    for (const { pid, isBye, result } of asked) this.#tellModel(pid, isBye, result(), nowNs);
    for (const { pid, bytes } of said) this.#count(this.#model.say(pid, bytes, nowNs));
    this.#identification.advance(nowNs);
    const stalled = harness.stalls().toSorted((a, b) => a - b);
    expect(stalled).toEqual(this.#model.endTurn(nowNs));
    if (stalled.length > 0) this.#cover("stall");
    return nowNs;
  }

  /** Up to three beats and goodbyes by the control socket. */
  #ask(): readonly Asked[] {
    const random = this.#random;
    return Array.from({ length: 1 + random.below(3) }, () => {
      const pid = random.pick(PIDS);
      const isBye = random.chance(0.3);
      let found: number | undefined;
      this.#harness.observer.ask({
        ...{ pid, uid: 1_000, gid: 1_000, listenerNumber: 0, askedGeneration: 1_000 },
        status: isBye ? ASKED_BYE : STATUS_OK,
        done: (result) => {
          found = result;
        },
      });
      return { pid, isBye, result: () => found };
    });
  }

  #tellModel(pid: number, isBye: boolean, result: number | undefined, nowNs: number): void {
    const was = result === ACCEPTED ? "accepted" : REJECT_REASONS[result!]!;
    // A few goodbyes of one pid are taken a second, and beats without a limit here.
    expect(isBye ? ["accepted", "rate_per_pid"] : ["accepted"]).toContain(was);
    this.#counts.set(was, (this.#counts.get(was) ?? 0) + 1);
    if (was !== "accepted") return;
    this.#cover(isBye ? "goodbye of another" : "beat of another");
    this.#asked += 1;
    const same = isBye ? "STOPPING=1" : "WATCHDOG=1";
    expect(this.#model.say(pid, new TextEncoder().encode(same), nowNs)).toBe("accepted");
  }

  #compare(nowNs: number): void {
    const { tracker, texts, accounting } = this.#harness.observer;
    tracker.checkInvariants();
    const { table, slots } = tracker;
    const found = PIDS.filter((pid) => tracker.isTracked(pid));
    expect(tracker.len).toBe(found.length);
    expect(found).toEqual([...this.#model.members.keys()].toSorted((a, b) => a - b));
    for (const [pid, member] of this.#model.members) {
      const slot = tracker.slotOf(pid);
      const said = table.said[slot];
      const { status, isReloading, errno, hasTriggered, isStalled, isCritical } = member;
      expect({
        pid,
        isStalled: slots.isLatched(slot),
        thresholdNs: tracker.thresholdOf(slot),
        hasSaidGoodbye: slots.saidGoodbye(slot),
        isCritical: slots.status[slot] === 2,
        status: said?.status ?? "",
        isReloading: said?.isReloading === true,
        errno: said?.errno ?? 0,
        hasTriggered: said?.hasTriggered === true,
      }).toEqual({
        ...{ pid, isStalled, thresholdNs: member.thresholdNs },
        hasSaidGoodbye: member.goodbyeNs !== undefined,
        ...{ isCritical, status, isReloading, errno, hasTriggered },
      });
      if (member.goodbyeNs !== undefined) this.#cover("goodbye");
      if (member.isMoved && !isStalled) this.#cover("more time");
      if (member.thresholdNs !== RULE_NS.threshold) this.#cover("asked");
      if (isStalled) continue;
      const dueNs = member.goodbyeNs === undefined ? this.#model.dueNs(member) : member.graceEndNs;
      expect([pid, judgedNs(table, slot)]).toEqual([pid, dueNs]);
      if (dueNs < nowNs && member.goodbyeNs === undefined) throw new Error("it is due");
    }
    const counts = Object.fromEntries(
      REJECT_REASONS.map((reason, at) => [reason, accounting.rejected[at]!] as const).filter(
        ([, count]) => count > 0,
      ),
    );
    const { accepted = 0, ...rejected } = Object.fromEntries(this.#counts);
    expect(counts).toEqual(rejected);
    expect(accounting.accepted[0]).toBe(accepted);
    expect(texts.counters.get(NOTIFY.taken.beat) + texts.counters.get(NOTIFY.taken.words)).toBe(
      accepted - this.#asked,
    );
    expect(accounting.received[0]).toBe(accepted + accounting.rejectedTotal(0));
  }

  #count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
    this.#cover(what);
  }

  #cover(what: string): void {
    this.coverage.set(what, (this.coverage.get(what) ?? 0) + 1);
  }
}

test("messages of sd_notify, and beats that others ask for, do what a slow model of them says", () => {
  const total = new Set<string>();
  for (let seed = 1; seed <= atLength(6, 200); seed++) {
    const world = new NotifyWorld(new Random(seed));
    for (let step = 0; step < STEPS; step++) {
      try {
        world.step();
      } catch (error) {
        throw new Error(`seed ${seed}, step ${step}`, { cause: error });
      }
    }
    for (const what of world.coverage.keys()) total.add(what);
  }
  const all = [
    ...["beat of another", "goodbye of another"],
    ...["accepted", "asked", "goodbye", "mainpid", "more time", "stall", "text"],
  ];
  expect([...total].toSorted()).toEqual(all.toSorted());
});
