// Beats of the daemon to itself pass everything by that a beat of an agent goes through, and show
// whether such a beat would get through.
import { beforeEach, describe, expect, test } from "bun:test";
import {
  ORIGIN_KEY_ATTESTED,
  ORIGIN_NETWORK_UNVERIFIED,
  ORIGIN_SOCKET_MODE_ONLY,
} from "../../src/base/origin.ts";
import { REJECT_WRONG_SIZE } from "../../src/base/reject_reason.ts";
import { NS_PER_MS, NS_PER_S } from "../../src/base/time.ts";
import { AllowList } from "../../src/listener/allow_list.ts";
import { SELF_BEAT_LATE_NS, SELF_BEATS, SelfBeats } from "../../src/observer/self_beats.ts";
import { HeardSelfBeats } from "../../src/observer/self_beat.ts";
import { ObserverClock } from "../../src/observer/clock.ts";
import { decode } from "../../src/wire/decode.ts";
import { encode } from "../../src/wire/encode.ts";
import {
  type BeatFields,
  beatOf,
  type Datagram,
  ScriptedListener,
} from "../support/scripted_listener.ts";
import { ObserverHarness } from "./harness.ts";

const PID = 4_242;
const UID = 990;
const LISTENER = 0;

let nowNs: number;
let beats: SelfBeats;

beforeEach(() => {
  nowNs = NS_PER_S;
  let drawn = 0;
  beats = new SelfBeats({ pid: PID, uid: UID, random: () => ++drawn, monotonicNs: () => nowNs });
});

/** The frame that is to be sent now, as bytes of its own. */
function begun(of = beats, listener = LISTENER): Uint8Array {
  return of.begin(listener)!.slice();
}

function counts(): { round: number; refused: number; lost: number } {
  const { ended } = SELF_BEATS;
  const [round, refused, lost] = [ended.round, ended.refused, ended.lost].map((cell) =>
    beats.counters.get(cell),
  );
  return { round: round!, refused: refused!, lost: lost! };
}

/** How many observations there were, and their sum in ns. */
function observed(): [number, number] {
  const [sum, ...buckets] = beats.counters.columns[0]!;
  return [buckets.reduce((total, one) => total + one, 0), sum!];
}

describe("SelfBeats.begin()", () => {
  test("makes a valid frame of the daemon's pid, with a number that grows", () => {
    const { frame } = decoded(begun());
    expect(frame).toMatchObject({ pid: PID, status: "ok", nonce: 0n, payload: 0x5642_0001 });
    beats.refused(LISTENER);
    expect(decoded(begun()).frame).toMatchObject({ payload: 0x5642_0002 });
  });

  test("states pid 2 as the first process of a namespace, since 1 is reserved", () => {
    const first = new SelfBeats({ pid: 1, uid: UID, random: () => 7, monotonicNs: () => nowNs });
    expect(decoded(begun(first)).frame).toMatchObject({ pid: 2 });
  });

  test("has other random bits for every listener", () => {
    const one = decoded(begun(beats, 0)).frame;
    const other = decoded(begun(beats, 1)).frame;
    expect(one.timestamp).not.toBe(other.timestamp);
  });

  test("waits for the one that is under way, until it is lost", () => {
    begun();
    nowNs += SELF_BEAT_LATE_NS - 1;
    expect(beats.begin(LISTENER)).toBeUndefined();
    expect(counts().lost).toBe(0);
    nowNs += 1;
    expect(beats.begin(LISTENER)).toBeDefined();
    expect(counts().lost).toBe(1);
  });
});

describe("SelfBeats.areRound()", () => {
  test("is false once none came round for 4 s after one was due, and true with the next", () => {
    begun();
    nowNs += SELF_BEAT_LATE_NS - 1;
    expect(beats.areRound()).toBe(true);
    nowNs += 1;
    expect(beats.areRound()).toBe(false);
    take(begun());
    expect(beats.areRound()).toBe(true);
    expect(beats.waitedNs(LISTENER)).toBe(0);
  });

  test("goes by the first that was refused, not by the last", () => {
    for (let second = 0; second < 4; second++) {
      begun();
      beats.refused(LISTENER);
      expect(beats.areRound()).toBe(true);
      nowNs += NS_PER_S;
    }
    expect(beats.areRound()).toBe(false);
    expect(counts()).toEqual({ round: 0, refused: 4, lost: 0 });
  });

  test("says nothing of a listener that the daemon may not send to", () => {
    begun();
    beats.impossible(LISTENER);
    nowNs += 10 * SELF_BEAT_LATE_NS;
    expect(beats.areRound()).toBe(true);
  });

  test("forgets listeners that are not in force any more", () => {
    begun();
    begun(beats, 1);
    nowNs += SELF_BEAT_LATE_NS;
    take(begun(beats, 1), 1);
    beats.keepOnly([1]);
    expect(beats.areRound()).toBe(true);
  });

  test("is true after hours without a turn if the last one came round before", () => {
    take(begun());
    nowNs += 8 * 3_600 * NS_PER_S;
    expect(beats.areRound()).toBe(true);
  });
});

describe("SelfBeats.takes()", () => {
  test("measures the whole way", () => {
    const frame = begun();
    nowNs += 3 * NS_PER_MS;
    expect(take(frame)).toBe(true);
    expect(observed()).toEqual([1, 3 * NS_PER_MS]);
    expect(counts()).toEqual({ round: 1, refused: 0, lost: 0 });
  });

  test("takes one that was given up, and counts it as what it was", () => {
    const late = begun();
    nowNs += SELF_BEAT_LATE_NS;
    const next = begun();
    expect(take(late)).toBe(true);
    expect(counts()).toEqual({ round: 0, refused: 0, lost: 1 });
    expect(take(next)).toBe(true);
    expect(counts()).toEqual({ round: 1, refused: 0, lost: 1 });
  });

  test("takes one only once as a measurement, and a second time without", () => {
    const frame = begun();
    take(frame);
    expect(take(frame)).toBe(true);
    expect(counts().round).toBe(1);
  });

  test("leaves a frame that knows the pid and not the random bits", () => {
    const { frame } = decoded(begun());
    for (const other of [
      { ...frame, timestamp: frame.timestamp + 1n },
      { ...frame, timestamp: frame.timestamp + 2n ** 32n },
      { ...frame, pid: PID + 1 },
    ])
      expect(take(encode(other))).toBe(false);
    expect(take(encode(frame), 1)).toBe(false);
    expect(counts().round).toBe(0);
  });
});

describe("an observer that is given them", () => {
  test("counts, tracks, tells and limits nothing of one that comes round", () => {
    const harness = new ObserverHarness({
      selfBeats: beats,
      admission: { perPidRate: 1, globalRate: 1, globalBurst: 1 },
    });
    for (let second = 0; second < 3; second++) expect(harness.receive(sent(begun()))).toEqual([]);
    expect(counts().round).toBe(3);
    const { observer } = harness;
    expect([observer.tracker.len, observer.accounting.received[LISTENER]]).toEqual([0, 0]);
    expect(harness.moved()).toEqual([]);
    // The one token of the bucket is still there.
    expect(harness.tell(beatOf(7))).toEqual(["beat 7"]);
  });

  test("takes them where an allow list lets nobody in", () => {
    const listener = new ScriptedListener({ allowList: new AllowList([], []) });
    const harness = new ObserverHarness({ selfBeats: beats, listeners: [listener] });
    harness.receive(sent(begun()));
    expect(counts().round).toBe(1);
    expect(harness.moved()).toEqual([]);
  });

  test("judges any other frame of the daemon's pid as ever", () => {
    const harness = new ObserverHarness({ selfBeats: beats });
    begun();
    expect(harness.tell(beatOf(PID))).toEqual([`beat ${PID}`]);
    expect(counts().round).toBe(0);
  });

  test("takes them although somebody made the daemon's pid a steady member", () => {
    const harness = new ObserverHarness({ selfBeats: beats });
    for (let nonce = 1; nonce < 4; nonce++) {
      harness.tell(beatOf(PID, { nonce }));
      harness.pass(10);
    }
    harness.receive(sent(begun()));
    expect(counts().round).toBe(1);
  });

  test("never takes one out of a datagram that its listener refused", () => {
    const harness = new ObserverHarness({ selfBeats: beats });
    harness.receive(sent(begun(), { verdict: REJECT_WRONG_SIZE }));
    expect(counts().round).toBe(0);
    expect(harness.moved()).toEqual(["wrong_size 1"]);
  });

  describe("and of an earlier daemon, in the queue that it left", () => {
    const earlierPid = PID - 1;
    let harness: ObserverHarness;

    beforeEach(() => {
      harness = new ObserverHarness({ selfBeats: beats });
    });

    function left(fields: Partial<Datagram> = {}, pid = earlierPid): Datagram {
      const earlier = new SelfBeats({ pid, uid: UID, random: () => 9, monotonicNs: () => nowNs });
      return sent(begun(earlier), { peerPid: pid, peerUid: UID, ...fields });
    }

    function inherited(): number {
      return beats.counters.get(SELF_BEATS.ended.inherited);
    }

    test("takes one, and no second one", () => {
      expect(harness.receive(left())).toEqual([]);
      expect(inherited()).toBe(1);
      expect([harness.observer.tracker.len, harness.moved()]).toEqual([0, []]);
      expect(harness.receive(left())).toMatchObject([{ kind: "beat", pid: earlierPid }]);
    });

    test("takes none of another user, whom the kernel names", () => {
      expect(harness.receive(left({ peerUid: UID + 1 }))).toMatchObject([{ pid: earlierPid }]);
      expect(inherited()).toBe(0);
    });

    test("takes none that names another process than its sender, or this one", () => {
      harness.receive(left({ peerPid: earlierPid - 1 }));
      expect(harness.moved()).toEqual(["pid 1"]);
      expect(harness.receive(left({}, PID))).toMatchObject([{ kind: "beat", pid: PID }]);
      expect(inherited()).toBe(0);
    });

    test("takes none whose sender the kernel does not name, or a key does", () => {
      harness.receive(left({ peerPid: 0, origin: ORIGIN_SOCKET_MODE_ONLY }));
      expect(inherited()).toBe(0);
      harness = new ObserverHarness({
        selfBeats: beats,
        listeners: [new ScriptedListener({ kind: "secure-udp" })],
      });
      harness.receive(left({ peerPid: 0, origin: ORIGIN_KEY_ATTESTED }));
      expect(inherited()).toBe(0);
    });

    test("takes none that is no frame", () => {
      const broken = left();
      broken.words[7]! ^= 1;
      harness.receive(broken);
      expect(harness.moved()).toEqual(["decode 1"]);
      expect(inherited()).toBe(0);
    });

    test("takes none behind one of its own", () => {
      harness.receive(sent(begun()));
      expect(harness.receive(left())).toMatchObject([{ kind: "beat", pid: earlierPid }]);
      expect(inherited()).toBe(0);
    });

    test("takes one of plain UDP, of which nobody says who sent it", () => {
      harness = new ObserverHarness({
        selfBeats: beats,
        listeners: [new ScriptedListener({ kind: "udp" })],
      });
      expect(harness.receive(left({ peerPid: 0, origin: ORIGIN_NETWORK_UNVERIFIED }))).toEqual([]);
      expect(inherited()).toBe(1);
    });
  });

  test("hears a first beat with nonce 0 of an agent", () => {
    const harness = new ObserverHarness({ selfBeats: beats });
    expect(harness.tell(beatOf(7, { nonce: 0 }))).toEqual(["beat 7"]);
  });

  test("takes them from a plain UDP listener, whose senders nothing vouches for", () => {
    const harness = new ObserverHarness({ selfBeats: beats });
    harness.receive(sent(begun(), { peerPid: 0, origin: ORIGIN_NETWORK_UNVERIFIED }));
    expect(counts().round).toBe(1);
    expect(harness.moved()).toEqual([]);
  });
});

function take(bytes: Uint8Array, listener = LISTENER): boolean {
  return beats.takes(new Uint32Array(bytes.slice().buffer), 0, listener);
}

/** The frame as the daemon's own socket sends it. */
function sent(frame: Uint8Array, fields: BeatFields = {}): Datagram {
  return { ...beatOf(PID, fields), words: new Uint32Array(frame.slice().buffer) };
}

function decoded(bytes: Uint8Array): Extract<ReturnType<typeof decode>, { ok: true }> {
  const result = decode(bytes);
  if (!result.ok) throw new Error("the frame is not valid");
  return result;
}

describe("HeardSelfBeats", () => {
  const AHEAD = 50 * NS_PER_S;

  /** The observer's clock is elsewhere, and goes at the same rate. */
  function heard(): HeardSelfBeats {
    const clock = new ObserverClock({ readNs: () => nowNs + AHEAD });
    clock.nowNs();
    return new HeardSelfBeats(beats, clock);
  }

  function roundTrip(listener: number, tookNs: number): void {
    const frame = begun(beats, listener);
    nowNs += tookNs;
    expect(beats.takes(new Uint32Array(frame.buffer), 0, listener)).toBe(true);
  }

  test("says of the slowest listener when it was sent, by the observer's clock, and its time", () => {
    roundTrip(0, 3 * NS_PER_MS);
    roundTrip(1, NS_PER_MS);
    nowNs += NS_PER_S;
    const all = heard();
    expect(all.isKept).toBe(true);
    expect(all.sentNs).toBe(NS_PER_S + AHEAD);
    expect(all.tookNs).toBe(3 * NS_PER_MS);
  });

  test("says that none went round as long as one listener's did not", () => {
    roundTrip(0, NS_PER_MS);
    begun(beats, 1);
    const all = heard();
    expect(all.isKept).toBe(true);
    expect(all.sentNs).toBe(Number.NEGATIVE_INFINITY);
  });

  test("asks nothing of a listener to which the daemon itself may not send", () => {
    begun(beats, 1);
    beats.impossible(1);
    expect(heard().isKept).toBe(false);
    roundTrip(0, NS_PER_MS);
    expect(heard().isKept).toBe(true);
    expect(heard().tookNs).toBe(NS_PER_MS);
  });
});
