// Messages of sd_notify(3) through the observer (spec 20 sections 2 to 4): what is a beat, whose it
// is, and what the rest of a message does to its member.
import { describe, expect, test } from "bun:test";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { AllowList } from "../../src/listener/allow_list.ts";
import { NOTIFY } from "../../src/observer/notify_texts.ts";
import { SelfBeats } from "../../src/observer/self_beats.ts";
import type { ProcessSeat } from "../../src/processes/process_reader.ts";
import { lastBeatNs } from "../../src/tracker/extensions.ts";
import { silenceNs } from "../../src/view/silence.ts";
import { beatOf, ScriptedListener, textOf } from "../support/scripted_listener.ts";
import { ObserverHarness, type ObserverHarnessOptions, THRESHOLD_NS } from "./harness.ts";

const PID = 700;
const OTHER = 701;
const SCRIPT: ProcessSeat = {
  unit: "app.service",
  unitUser: "",
  cgroup: "/system.slice/app.service",
};

class Door extends ObserverHarness {
  readonly seats = new Map<number, ProcessSeat>([
    [PID, SCRIPT],
    [OTHER, SCRIPT],
  ]);

  constructor(
    options: Omit<ObserverHarnessOptions, "places"> & {
      readonly listener?: ConstructorParameters<typeof ScriptedListener>[0];
    } = {},
  ) {
    const { listener, ...rest } = options;
    const seats = (): Map<number, ProcessSeat> => this.seats;
    super({
      listeners: [new ScriptedListener({ ...listener, kind: "notify" })],
      places: { placeOf: (pid) => seats().get(pid) },
      ...rest,
    });
    this.listener.batch.receivedGeneration = 1_000;
    for (const pid of [PID, OTHER]) this.processes.set(pid, 50);
  }

  say(text: string | Uint8Array, pid = PID): string[] {
    this.receive(textOf(pid, text));
    this.observer.tracker.checkInvariants();
    return this.moved();
  }

  get slot(): number {
    return this.observer.tracker.slotOf(PID);
  }

  get said() {
    return this.observer.tracker.table.said[this.slot];
  }

  get owesNothing(): boolean {
    return this.observer.tracker.slots.saidGoodbye(this.slot);
  }

  /** Lets time pass, and says who was found silent in it. */
  wait(ns: number): number[] {
    this.pass(ns / NS_PER_MS);
    this.pump();
    return this.stalls();
  }
}

describe("a message of sd_notify", () => {
  test("with WATCHDOG=1 is a beat with status ok, also before READY=1", () => {
    const door = new Door();
    expect(door.receive(textOf(PID, "WATCHDOG=1"))).toMatchObject([
      { kind: "beat", pid: PID, status: "ok", payload: 0 },
    ]);
    expect(door.say("READY=1\nWATCHDOG=1\n")).toEqual(["accepted 2"]);
    expect(door.wait(THRESHOLD_NS)).toEqual([PID]);
  });

  test.each([
    "READY=1",
    "STOPPING=1",
    "RELOADING=1\nMONOTONIC_USEC=1",
    "STATUS=all is well",
    "WATCHDOG_USEC=1000000",
    "EXTEND_TIMEOUT_USEC=1000000",
    "BARRIER=1",
    "FDSTORE=1\nFDNAME=x",
    "X=1",
    "no field",
  ])("without one is taken, and makes no member: %p", (text) => {
    const door = new Door();
    expect(door.say(text)).toEqual(["accepted 1"]);
    expect(door.observer.tracker.len).toBe(0);
    expect(door.observer.texts.counters.get(NOTIFY.taken.words)).toBe(1);
  });

  test("that is none is refused whole, and nothing of it is done", () => {
    const long = `WATCHDOG=1\n${"x".repeat(4_086)}`;
    for (const text of ["", "\0", "WATCHDOG=1\0\0", "WATCHDOG=1\nA\0=1", long]) {
      const door = new Door();
      expect(door.say(text)).toEqual(["text 1"]);
      expect(door.observer.tracker.len).toBe(0);
    }
    expect(new Door().say(long.slice(0, 4_096))).toEqual(["accepted 1"]);
  });

  test("of a user who may not beat here is refused before anything is read", () => {
    const allowList = new AllowList([1], []);
    const door = new Door({ listener: { allowList } });
    expect(door.say("WATCHDOG=1")).toEqual(["uid 1"]);
    expect(door.say("STATUS=x")).toEqual(["uid 1"]);
    expect(door.processes.reads).toBe(0);
  });

  test("is limited as every beat is, and pays before anything is read", () => {
    const door = new Door({ admission: { perPidRate: 0, globalRate: 1, globalBurst: 4 } });
    const moved = Array.from({ length: 6 }, () => door.say(`MAINPID=${OTHER}\nWATCHDOG=1`)).flat();
    expect(moved).toContain("rate_global 1");
    const reads = door.processes.takeReads();
    expect(door.say("STATUS=x", 999)).toEqual(["rate_global 1"]);
    expect(door.say("\0", 999)).toEqual(["rate_global 1"]);
    expect([reads > 0, door.processes.takeReads()]).toEqual([true, 0]);
  });

  test("leaves the numbering of a client of the same process alone: it is one member", () => {
    const frames = new ScriptedListener({ name: "frames" });
    const texts = new ScriptedListener({ kind: "notify", name: "texts" });
    const harness = new ObserverHarness({ listeners: [texts, frames] });
    harness.processes.set(PID, 50);
    for (let nonce = 1; nonce <= 5; nonce++) {
      frames.queue([beatOf(PID, { nonce, timestamp: nonce })]);
      texts.queue([textOf(PID, "WATCHDOG=1"), textOf(PID, "WATCHDOG=1")]);
      harness.pump();
    }
    expect(harness.moved()).toEqual(["accepted 15"]);
    const { tracker } = harness.observer;
    expect([tracker.len, tracker.lastObservedNonceOf(PID)]).toEqual([1, 5n]);
    expect(harness.tell(textOf(PID, "WATCHDOG=1"))).toEqual(["beat 700"]);
    frames.queue([beatOf(PID, { nonce: 5, timestamp: 5 })]);
    harness.pump();
    expect(harness.moved()).toEqual(["accepted 1", "out_of_order 1"]);
  });

  test("from another namespace needs containers = true, and no pid that it could state", () => {
    const inContainer = (containers: boolean) => {
      const door = new Door({ listener: { containers } });
      door.processes.setInContainer(PID, 50, 77, 1);
      return door.say("WATCHDOG=1");
    };
    expect(inContainer(false)).toEqual(["cross_namespace 1"]);
    expect(inContainer(true)).toEqual(["accepted 1"]);
  });
});

describe("WATCHDOG=trigger", () => {
  test("is a beat with status critical, and a stall at once", () => {
    const door = new Door();
    door.say("WATCHDOG=1");
    door.pass(10);
    door.receive(textOf(PID, "WATCHDOG=trigger"));
    expect(door.observer.tracker.slots.status[door.slot]).toBe(2);
    expect(door.stalls()).toEqual([PID]);
    expect(door.said?.hasTriggered).toBe(true);
    expect(door.said?.triggeredNs).toBe(door.observer.clock.lastNs);
    expect(door.receive(textOf(PID, "WATCHDOG=1"))).toMatchObject([{ kind: "beat", pid: PID }]);
    expect(door.said?.hasTriggered).toBe(false);
    expect(door.wait(THRESHOLD_NS * 0.9)).toEqual([]);
    expect(door.wait(THRESHOLD_NS * 0.1)).toEqual([PID]);
  });

  test("is told as what it is: no silence was before it", () => {
    const door = new Door();
    door.say("WATCHDOG=1");
    door.pass(10);
    door.receive(textOf(PID, "WATCHDOG=trigger"));
    const askedNs = door.observer.clock.lastNs;
    door.pump();
    expect(door.observer.takeStall()).toMatchObject({ lastNs: askedNs, isTriggered: true });
    const { table } = door.observer.tracker;
    expect(silenceNs(table, door.slot, askedNs + 5)).toBe(5);
    expect(lastBeatNs(table, door.slot)).toBe(askedNs);
    // As if it had beaten at another door since, of which its words know nothing.
    door.said!.triggeredNs = -1;
    expect(silenceNs(table, door.slot, askedNs)).toBeGreaterThan(0);
  });

  test("is a stall too if beats come before anybody could judge it, and the next one ends it", () => {
    const door = new Door();
    door.receive(textOf(PID, "WATCHDOG=1"));
    door.receive(textOf(PID, "WATCHDOG=trigger"), textOf(PID, "WATCHDOG=1"));
    expect(door.observer.tracker.slots.status[door.slot]).toBe(2);
    expect(door.stalls()).toEqual([PID]);
    door.receive(textOf(PID, "WATCHDOG=1"));
    expect(door.observer.tracker.slots.status[door.slot]).toBe(0);
    expect(door.wait(THRESHOLD_NS * 0.9)).toEqual([]);
  });

  test("is one at once just after a start, with members that have been silent for longer", () => {
    const door = new Door();
    door.say("WATCHDOG=1", OTHER);
    door.say("WATCHDOG=1");
    door.pass(50);
    door.observer.tracker.pauses.startAt(door.observer.clock.lastNs);
    door.pass(10);
    door.receive(textOf(PID, "WATCHDOG=trigger"));
    expect(door.stalls()).toEqual([PID]);
  });

  test("of who was never heard before is one, too", () => {
    const door = new Door();
    door.receive(textOf(PID, "WATCHDOG=trigger\nWATCHDOG=1"));
    expect(door.stalls()).toEqual([PID]);
  });
});

describe("STOPPING=1", () => {
  test("is a goodbye, also beside a beat, and READY=1 takes it back", () => {
    const door = new Door();
    door.say("WATCHDOG=1\nSTOPPING=1");
    expect(door.owesNothing).toBe(true);
    expect(door.wait(10 * THRESHOLD_NS)).toEqual([]);
    door.say("READY=1");
    expect(door.owesNothing).toBe(false);
    expect(door.wait(THRESHOLD_NS)).toEqual([PID]);
  });

  test("is taken back by a beat", () => {
    const door = new Door();
    door.say("WATCHDOG=1");
    door.say("STOPPING=1");
    expect(door.owesNothing).toBe(true);
    door.say("WATCHDOG=1");
    expect(door.wait(THRESHOLD_NS)).toEqual([PID]);
  });

  test("of another process under the pid says nothing of the member", () => {
    const door = new Door();
    door.say("WATCHDOG=1");
    door.processes.set(PID, 51);
    expect(door.say("STOPPING=1")).toEqual(["accepted 1"]);
    expect(door.owesNothing).toBe(false);
  });

  test("of one that is gone when it is read is still its own", () => {
    const door = new Door();
    door.say("WATCHDOG=1");
    door.processes.table.delete(PID);
    door.say("STOPPING=1");
    expect(door.owesNothing).toBe(true);
  });

  test("lasts 90 s, and longer if it asks for that", () => {
    const door = new Door();
    door.say("WATCHDOG=1\nSTOPPING=1");
    expect(door.wait(89 * NS_PER_S)).toEqual([]);
    expect(door.wait(NS_PER_S)).toEqual([PID]);
  });
});

describe("what is shown", () => {
  test("is the last STATUS=, of at most 256 bytes, and whether it reloads, and its error", () => {
    const door = new Door();
    door.say("WATCHDOG=1\nSTATUS=first");
    expect(door.said).toMatchObject({ status: "first", isReloading: false, errno: 0 });
    door.say(`RELOADING=1\nERRNO=13\nSTATUS=${"\u20ac".repeat(100)}`);
    expect(door.said).toMatchObject({
      status: "\u20ac".repeat(85),
      isReloading: true,
      errno: 13,
    });
    door.say("READY=1\nSTATUS=\nERRNO=0");
    expect(door.said).toMatchObject({ status: "", isReloading: false, errno: 0 });
  });

  test("is text whatever its bytes were", () => {
    const door = new Door();
    door.say(Uint8Array.from([...Buffer.from("WATCHDOG=1\nSTATUS=\u001b[31m"), 0xff, 0xc3]));
    expect(door.said?.status).toBe("\u001b[31m\ufffd\ufffd");
  });

  test("goes with its member, and to no other", () => {
    const door = new Door();
    door.say("WATCHDOG=1\nSTATUS=mine");
    door.processes.set(PID, 51);
    door.pass(2_000);
    door.say("WATCHDOG=1");
    expect(door.observer.tracker.slots.generation[door.slot]).toBe(51);
    expect(door.said).toBeUndefined();
  });
});

describe("MAINPID= beside a beat", () => {
  const SPEAKS = `WATCHDOG=1\nMAINPID=${PID}`;

  test("names the member, if it runs in the same unit for the same user", () => {
    const door = new Door();
    expect(door.say(SPEAKS, OTHER)).toEqual(["accepted 1"]);
    const { tracker } = door.observer;
    expect([tracker.isTracked(PID), tracker.isTracked(OTHER)]).toEqual([true, false]);
    expect(tracker.slots.isProven(door.slot)).toBe(true);
    expect(door.say(`WATCHDOG=1\nMAINPID=${PID}`)).toEqual(["accepted 1"]);
  });

  test.each<[string, (door: Door) => void]>([
    ["of another user", (door) => door.processes.set(PID, 50, undefined, 0)],
    ["of another unit", (door) => door.seats.set(PID, { ...SCRIPT, unit: "sshd.service" })],
    ["of which nothing can be read", (door) => door.seats.delete(PID)],
    ["that is gone", (door) => door.processes.table.delete(PID)],
    ["in another namespace", (door) => door.processes.setInContainer(PID, 50, 77, 3)],
    ["that began after the message", (door) => door.processes.set(PID, 1_001)],
  ])("is refused for a process %s", (_, change) => {
    const door = new Door();
    change(door);
    expect(door.say(SPEAKS, OTHER)).toEqual(["mainpid 1"]);
    expect(door.observer.tracker.len).toBe(0);
  });

  test.each(["0", "1", "x", "-1", "4194305", ""])("is refused for the pid %p", (pid) => {
    expect(new Door().say(`WATCHDOG=1\nMAINPID=${pid}`, OTHER)).toEqual(["mainpid 1"]);
  });

  test("is refused for the daemon, which does not watch itself", () => {
    const random = () => 1;
    const selfBeats = new SelfBeats({ pid: PID, uid: 0, random, monotonicNs: () => 0 });
    expect(new Door({ selfBeats }).say(SPEAKS, OTHER)).toEqual(["mainpid 1"]);
  });

  test("is refused of a sender in another namespace, and of one that is gone", () => {
    const foreign = new Door();
    foreign.processes.setInContainer(OTHER, 50, 77, 3);
    expect(foreign.say(SPEAKS, OTHER)).toEqual(["mainpid 1"]);
    const gone = new Door();
    gone.seats.delete(OTHER);
    gone.processes.table.delete(OTHER);
    expect(gone.say(SPEAKS, OTHER)).toEqual(["mainpid 1"]);
    expect([foreign, gone].map(({ observer }) => observer.texts.detail)).toEqual([PID, -PID]);
  });

  test("of one that is gone is heard if others of its place have spoken for the member", () => {
    const door = new Door();
    door.say(SPEAKS, OTHER);
    door.seats.delete(OTHER);
    door.processes.table.delete(OTHER);
    expect(door.say(SPEAKS, OTHER)).toEqual(["accepted 1"]);
    door.receive(textOf(OTHER, SPEAKS, { peerUid: 0 }));
    expect(door.moved()).toEqual(["mainpid 1"]);
    // One that is there, and is in another namespace, is not gone.
    door.processes.setInContainer(OTHER, 60, 77, 3);
    expect(door.say(SPEAKS, OTHER)).toEqual(["mainpid 1"]);
    door.processes.table.delete(OTHER);
    door.processes.set(PID, 51);
    expect(door.say(SPEAKS, OTHER)).toEqual(["mainpid 1"]);
  });

  test("of the sender itself says nothing", () => {
    const door = new Door();
    door.seats.clear();
    expect(door.say(SPEAKS)).toEqual(["accepted 1"]);
  });

  test("without a beat is for a service manager", () => {
    const door = new Door();
    door.say("WATCHDOG=1");
    expect(door.say(`MAINPID=${PID}\nSTOPPING=1`, OTHER)).toEqual(["accepted 1"]);
    expect(door.owesNothing).toBe(false);
  });
});

test("X_VARTA_NAME= and WATCHDOG_USEC= are what a hello says, too", () => {
  const door = new Door();
  const { table } = door.observer.tracker;
  door.say("WATCHDOG=1\nX_VARTA_NAME=web-1");
  expect(table.announced[door.slot]).toBe("web-1");
  door.say("WATCHDOG_USEC=3000000");
  expect([table.announced[door.slot], table.slots.askedNs[door.slot]]).toEqual([
    "web-1",
    3 * NS_PER_S,
  ]);
  for (const text of ["WATCHDOG_USEC=0", "WATCHDOG_USEC=5s", "X_VARTA_NAME=a b"]) door.say(text);
  expect([table.announced[door.slot], table.slots.askedNs[door.slot]]).toEqual([
    "web-1",
    3 * NS_PER_S,
  ]);
});
