// The check order for one datagram (spec 04 section 5), row by row: each datagram breaks two
// neighbouring rules, and the first of them reports. Then the same rows with an empty bucket, and
// the bypass of a panicking agent (I6, I7, I8).
import { describe, expect, test } from "bun:test";
import {
  ORIGIN_KERNEL_ATTESTED,
  ORIGIN_NETWORK_UNVERIFIED,
  ORIGIN_SOCKET_MODE_ONLY,
} from "../../src/base/origin.ts";
import * as reason from "../../src/base/reject_reason.ts";
import { NS_PER_MS } from "../../src/base/time.ts";
import { AllowList } from "../../src/listener/allow_list.ts";
import {
  NONCE_TERMINAL,
  STATUS_CRITICAL,
  STATUS_DEGRADED,
  STATUS_OK,
} from "../../src/wire/frame.ts";
import {
  beatOf,
  type Datagram,
  damaged,
  ScriptedListener,
  terminalOf,
} from "../support/scripted_listener.ts";
import { ObserverHarness, type ObserverHarnessOptions } from "./harness.ts";

const FOREIGN = 77;
const PID_MAX = 1_000;

/**
 * One listener that accepts uid 1000, per-pid limit 100/s, plenty of tokens, and processes 2 to 9.
 */
function strictHarness(options: ObserverHarnessOptions = {}): ObserverHarness {
  const harness = new ObserverHarness({
    listeners: [new ScriptedListener({ allowList: new AllowList([1000], []) })],
    readPidMax: () => PID_MAX,
    admission: { perPidRate: 100, globalRate: 1, globalBurst: 1_000 },
    trackerCapacity: 4,
    ...options,
  });
  for (let pid = 2; pid < 10; pid++) harness.processes.set(pid, 10 * pid);
  return harness;
}

/** The harness as it is after one accepted beat of `pid`, with its moves already taken. */
function tracking(
  pid: number,
  fields: Parameters<typeof beatOf>[1] = {},
  harness = strictHarness(),
) {
  expect(harness.tell(beatOf(pid, { nonce: 5, ...fields }))).toEqual([`beat ${pid}`]);
  harness.moved();
  harness.processes.takeReads();
  return harness;
}

/**
 * One accepted beat and seven more at once: with at most eight beats per second, the next one comes
 * too early.
 */
function spent(pid: number, options: ObserverHarnessOptions = {}): ObserverHarness {
  const admission = { perPidRate: 8, globalRate: 1, globalBurst: 1_000 };
  const harness = tracking(pid, {}, strictHarness({ admission, ...options }));
  harness.receive(...Array.from({ length: 7 }, (_, i) => beatOf(pid, { nonce: 6 + i })));
  expect(harness.moved()).toEqual(["accepted 7"]);
  return harness;
}

describe("what the listener has decided", () => {
  test.each([
    ["wrong_size", reason.REJECT_WRONG_SIZE, []],
    ["ctrl_truncated", reason.REJECT_CTRL_TRUNCATED, ["ctrl-truncated"]],
    ["no_credentials", reason.REJECT_NO_CREDENTIALS, ["io 0"]],
    ["decrypt", reason.REJECT_DECRYPT, []],
    ["sender_table_full", reason.REJECT_SENDER_TABLE_FULL, []],
    ["replay", reason.REJECT_REPLAY, []],
  ])("%s ends the datagram, whatever its frame says", (name, verdict, events) => {
    const harness = strictHarness();
    for (const datagram of [beatOf(2), damaged(beatOf(2)), beatOf(2, { peerPid: 3 })])
      expect(harness.tell({ ...datagram, verdict })).toEqual(events);
    expect(harness.moved()).toEqual([`${name} 3`]);
    expect(harness.observer.tracker.len).toBe(0);
  });
});

describe("a datagram that breaks two neighbouring rules", () => {
  test("decode before the allow list", () => {
    const harness = strictHarness();
    expect(harness.tell(damaged(beatOf(2, { peerUid: 7 })))).toEqual(["decode BadCrc"]);
    expect(harness.moved()).toEqual(["decode 1"]);
  });

  test("the allow list before the pid", () => {
    const harness = strictHarness();
    expect(harness.tell(beatOf(2, { peerUid: 7, peerPid: 3 }))).toEqual(["auth-failure 2 uid"]);
    expect(harness.moved()).toEqual(["uid 1"]);
  });

  test("the pid before pid_max", () => {
    const harness = strictHarness();
    expect(harness.tell(beatOf(PID_MAX + 1, { peerPid: 3 }))).toEqual([
      `auth-failure ${PID_MAX + 1} pid`,
    ]);
    expect(harness.moved()).toEqual(["pid 1"]);
  });

  test("pid_max before the per-pid limit", () => {
    let pidMax = PID_MAX;
    const harness = tracking(9, {}, strictHarness({ readPidMax: () => pidMax }));
    pidMax = 8;
    expect(harness.observer.maybeRefreshPidMax(60e9)).toBe(true);
    expect(harness.tell(beatOf(9, { nonce: 6 }))).toEqual([]);
    expect(harness.moved()).toEqual(["pid_above_max 1"]);
    expect(harness.observer.drainPidAboveMaxDrops()).toBe(1);
  });

  test("pid_max is checked for unattested senders too, and pid_max itself passes", () => {
    const harness = strictHarness();
    expect(harness.tell(beatOf(PID_MAX + 1, { peerPid: 0 }))).toEqual([]);
    expect(harness.tell(beatOf(PID_MAX, { peerPid: 0 }))).toEqual([`beat ${PID_MAX}`]);
    expect(harness.moved()).toEqual(["accepted 1", "pid_above_max 1"]);
  });

  test("the per-pid limit before the global bucket", () => {
    const admission = { perPidRate: 8, globalRate: 1, globalBurst: 8 };
    const harness = spent(2, { admission });
    expect(harness.tell(beatOf(2, { nonce: 13 }))).toEqual([]);
    expect(harness.moved()).toEqual(["rate_per_pid 1"]);
    expect(harness.tell(beatOf(3))).toEqual([]);
    expect(harness.moved()).toEqual(["rate_global 1"]);
  });

  test("a conflicting beat that comes too early counts as rate-limited, not as a conflict", () => {
    const harness = spent(2);
    const datagram = beatOf(2, { nonce: 13, origin: ORIGIN_NETWORK_UNVERIFIED, peerPid: 0 });
    expect(harness.tell(datagram)).toEqual([]);
    expect(harness.moved()).toEqual(["rate_per_pid 1"]);
  });

  test("the global bucket before the namespace gate: not one look at /proc", () => {
    const admission = { perPidRate: 0, globalRate: 1, globalBurst: 1 };
    const harness = tracking(2, {}, strictHarness({ admission }));
    harness.processes.set(3, 30, FOREIGN);
    expect(harness.tell(beatOf(3))).toEqual([]);
    expect(harness.moved()).toEqual(["rate_global 1"]);
    expect(harness.processes.takeReads()).toBe(0);
  });

  test("the namespace gate before the origin of the slot, and the tracker is untouched", () => {
    const harness = tracking(2, { peerPid: 0 });
    harness.processes.set(2, 20, FOREIGN);
    harness.pass(200);
    expect(harness.tell(beatOf(2, { nonce: 6 }))).toEqual([`namespace-conflict 2 ${FOREIGN}`]);
    expect(harness.moved()).toEqual(["cross_namespace 1"]);
    expect(harness.observer.drainOriginConflicts()).toBe(0);
    expect(harness.observer.drainNamespaceConflicts()).toBe(0);
    expect(harness.observer.tracker.slots.lastNonceLo[0]).toBe(5);
  });

  test("the origin of the slot before its namespace", () => {
    const harness = tracking(2);
    harness.pass(200);
    harness.stalls();
    const datagram = beatOf(2, { nonce: 6, peerPid: 0, origin: ORIGIN_SOCKET_MODE_ONLY });
    // Without a peer pid the namespace is unknown, which is the conflict that comes second.
    expect(harness.tell(datagram)).toEqual([
      `origin-conflict 2 ${ORIGIN_SOCKET_MODE_ONLY} slot ${ORIGIN_KERNEL_ATTESTED}`,
    ]);
    expect(harness.moved()).toEqual(["origin_conflict 1"]);
    expect(harness.observer.drainOriginConflicts()).toBe(1);
    expect(harness.observer.drainNamespaceConflicts()).toBe(0);
  });

  test("the namespace of the slot before the nonce", () => {
    const harness = tracking(2);
    harness.pass(200);
    harness.processes.table.delete(2);
    expect(harness.tell(beatOf(2, { nonce: 4 }))).toEqual(["namespace-conflict 2 undefined"]);
    expect(harness.moved()).toEqual(["namespace_conflict 1"]);
    expect(harness.observer.drainOutOfOrder()).toBe(0);
  });

  test("an old nonce is refused without an event", () => {
    const harness = tracking(2);
    harness.pass(20);
    expect(harness.tell(beatOf(2, { nonce: 5 }), beatOf(2, { nonce: 4 }))).toEqual([]);
    expect(harness.moved()).toEqual(["out_of_order 2"]);
    expect(harness.observer.drainOutOfOrder()).toBe(2);
  });

  test("a full tracker refuses without an event", () => {
    const harness = strictHarness();
    expect(harness.tell(beatOf(2), beatOf(3), beatOf(4), beatOf(5), beatOf(6))).toEqual([
      "beat 2",
      "beat 3",
      "beat 4",
      "beat 5",
    ]);
    expect(harness.moved()).toEqual(["accepted 4", "capacity 1"]);
    expect(harness.observer.drainCapacityExceeded()).toBe(1);
  });
});

describe("rows that pay a token, with an empty bucket", () => {
  const rows: [string, Datagram][] = [
    ["ctrl_truncated", beatOf(2, { verdict: reason.REJECT_CTRL_TRUNCATED })],
    ["no_credentials", beatOf(2, { verdict: reason.REJECT_NO_CREDENTIALS })],
    ["decode", damaged(beatOf(2))],
    ["uid", beatOf(2, { peerUid: 7 })],
    ["pid", beatOf(2, { peerPid: 3 })],
    ["pid_above_max", beatOf(PID_MAX + 1)],
    ["a good beat", beatOf(3)],
  ];

  test.each(rows)("%s becomes rate_global without an event", (_name, datagram) => {
    const admission = { perPidRate: 0, globalRate: 1, globalBurst: 1 };
    const harness = tracking(9, {}, strictHarness({ admission }));
    expect(harness.tell(datagram)).toEqual([]);
    expect(harness.moved()).toEqual(["rate_global 1"]);
    expect(harness.processes.takeReads()).toBe(0);
    expect(harness.observer.drainGlobalRateLimited()).toBe(1);
  });

  test.each([
    ["wrong_size", reason.REJECT_WRONG_SIZE],
    ["decrypt", reason.REJECT_DECRYPT],
    ["sender_table_full", reason.REJECT_SENDER_TABLE_FULL],
    ["replay", reason.REJECT_REPLAY],
  ])("%s pays nothing and stays itself", (name, verdict) => {
    const admission = { perPidRate: 0, globalRate: 1, globalBurst: 1 };
    const harness = strictHarness({ admission });
    harness.receive(beatOf(2, { verdict }), beatOf(2, { verdict }));
    expect(harness.moved()).toEqual([`${name} 2`]);
    // The one token is still there.
    expect(harness.tell(beatOf(2))).toEqual(["beat 2"]);
  });

  test("a cross-namespace beat pays once", () => {
    const admission = { perPidRate: 0, globalRate: 1, globalBurst: 2 };
    const harness = strictHarness({ admission });
    harness.processes.set(2, 20, FOREIGN);
    harness.receive(beatOf(2), beatOf(3), beatOf(4));
    expect(harness.moved()).toEqual(["accepted 1", "rate_global 1", "cross_namespace 1"]);
  });
});

describe("the reserve of the global bucket", () => {
  // Ten tokens are kept of forty.
  const admission = { perPidRate: 100, globalRate: 1, globalBurst: 40 };

  /** The bucket is down to its reserve, and agent 2 has beaten once with this origin. */
  function drained(
    fields: Parameters<typeof beatOf>[1] = {},
    listener?: ScriptedListener,
  ): ObserverHarness {
    const harness = strictHarness({ admission, ...(listener && { listeners: [listener] }) });
    harness.receive(beatOf(2, { nonce: 5, ...fields }));
    harness.receive(...Array.from({ length: 64 }, () => damaged(beatOf(3))));
    expect(harness.moved()).toEqual(["accepted 1", "decode 29", "rate_global 35"]);
    return harness;
  }

  test("lets in the beats of agents that are known, down to the last token", () => {
    const harness = drained();
    for (let nonce = 6; nonce < 20; nonce++) {
      harness.pass(10);
      harness.receive(beatOf(2, { nonce }), damaged(beatOf(3)));
    }
    expect(harness.moved()).toEqual(["accepted 10", "rate_global 18"]);
  });

  test("lets in an agent that was silent and is back, and one whose nonce wraps", () => {
    const harness = drained({ nonce: NONCE_TERMINAL - 1n });
    harness.pass(200);
    harness.pump();
    expect(harness.stalls()).toEqual([2]);
    expect(harness.tell(beatOf(2, { nonce: 1 }))).toEqual(["beat 2"]);
  });

  test("is not for one that is new, stale, of another origin, foreign or in doubt", () => {
    const shed: [string, Datagram][] = [
      ["new", beatOf(3)],
      ["stale", beatOf(2, { nonce: 5 })],
      ["other origin", beatOf(2, { nonce: 6, peerPid: 0 })],
      ["other pid", beatOf(2, { nonce: 6, peerPid: 3 })],
      ["other uid", beatOf(2, { nonce: 6, peerUid: 7 })],
      ["above pid_max", beatOf(PID_MAX + 1)],
      ["no credentials", beatOf(2, { nonce: 6, verdict: reason.REJECT_NO_CREDENTIALS })],
      ["descriptors", beatOf(2, { nonce: 6, verdict: reason.REJECT_CTRL_TRUNCATED })],
    ];
    for (const [name, datagram] of shed) {
      const harness = drained();
      harness.pass(10);
      expect([name, harness.tell(datagram)]).toEqual([name, []]);
      expect([name, harness.moved()]).toEqual([name, ["rate_global 1"]]);
    }
  });

  test.each([
    ["secure-udp", ["beat 2"]],
    // Any sender can make a beat of any pid there.
    ["udp", []],
    ["unix", []],
  ] as const)("of an agent without kernel credentials, by %s: %p", (kind, told) => {
    const fields = { peerPid: 0, origin: ORIGIN_NETWORK_UNVERIFIED };
    const listener = new ScriptedListener({ kind });
    const harness = drained(fields, listener);
    harness.pass(10);
    expect(harness.tell(beatOf(2, { ...fields, nonce: 6 }))).toEqual([...told]);
  });
});

describe("per-pid limit", () => {
  /** Takes `count` beats in bursts, `everyMs` apart; returns how many were accepted. */
  function beatAway(
    harness: ObserverHarness,
    count: number,
    burst: number,
    everyMs: number,
  ): number {
    let accepted = 0;
    for (let nonce = 6; nonce < 6 + count; nonce += burst) {
      harness.pass(everyMs);
      const beats = Array.from({ length: burst }, (_, i) => beatOf(2, { nonce: nonce + i }));
      accepted += harness.receive(...beats).length;
    }
    return accepted;
  }
  const unlimited = { globalRate: 0, globalBurst: 0 };

  test("at 100 per second loses none of 50 beats per second in bursts of 5, nor of one per 11 ms", () => {
    expect(beatAway(tracking(2), 250, 5, 100)).toBe(250);
    expect(beatAway(tracking(2), 433, 1, 11)).toBe(433);
  });

  test("lets one second's worth through at once, at least 8 beats", () => {
    for (const [perPidRate, burst] of [
      [1, 8],
      [8, 8],
      [9, 9],
      [60, 60],
    ] as const) {
      const admission = { perPidRate, ...unlimited };
      const harness = strictHarness({ admission });
      const beats = Array.from({ length: 64 }, (_, i) => beatOf(2, { nonce: 1 + i }));
      expect([perPidRate, harness.receive(...beats).length]).toEqual([perPidRate, burst]);
    }
  });

  test("in the long run is the rate, also one that does not divide a second", () => {
    const admission = { perPidRate: 7, ...unlimited };
    const harness = tracking(2, {}, strictHarness({ admission }));
    expect(beatAway(harness, 60_000, 1, 1)).toBe(7 + 7 * 60);
  });

  test("a beat exactly when there is room again passes, one nanosecond earlier does not", () => {
    const harness = spent(2);
    harness.clock.ns += 125 * NS_PER_MS - 1;
    expect(harness.tell(beatOf(2, { nonce: 13 }))).toEqual([]);
    expect(harness.moved()).toEqual(["rate_per_pid 1"]);
    harness.clock.ns += 1;
    expect(harness.tell(beatOf(2, { nonce: 13 }))).toEqual(["beat 2"]);
  });

  test("dropped beats do not extend the penalty", () => {
    const harness = spent(2);
    for (let ms = 1; ms < 125; ms++) {
      harness.pass(1);
      harness.receive(beatOf(2, { nonce: 13 + ms }));
    }
    harness.pass(1);
    expect(harness.tell(beatOf(2, { nonce: 200 }))).toEqual(["beat 2"]);
    expect(harness.moved()).toEqual(["accepted 1", "rate_per_pid 124"]);
  });

  test("each process has its own, and one that is new has all of it", () => {
    const harness = spent(2);
    const beats = Array.from({ length: 9 }, (_, i) => beatOf(3, { nonce: 1 + i }));
    expect(harness.tell(beatOf(2, { nonce: 13 }), ...beats)).toEqual(Array(8).fill("beat 3"));
    harness.processes.set(3, 31);
    harness.pass(1_000);
    harness.receive(beatOf(3, { nonce: 1 }));
    harness.moved();
    const again = Array.from({ length: 8 }, (_, i) => beatOf(3, { nonce: 2 + i }));
    expect(harness.tell(...again)).toEqual(Array(7).fill("beat 3"));
  });

  test("never sheds a status that is worse than the last one", () => {
    const harness = spent(2);
    const told = harness.tell(
      beatOf(2, { nonce: 13, status: STATUS_DEGRADED }),
      beatOf(2, { nonce: 14, status: STATUS_DEGRADED }),
      beatOf(2, { nonce: 15, status: STATUS_CRITICAL }),
      beatOf(2, { nonce: 16, status: STATUS_OK }),
      beatOf(2, { nonce: 17, status: STATUS_CRITICAL }),
    );
    expect(told).toEqual(["beat 2", "beat 2"]);
    expect(harness.moved()).toEqual(["accepted 2", "rate_per_pid 3"]);
    // They count like all others: there is room for one more beat in an eighth of a second, and not
    // before.
    harness.clock.ns += 125 * NS_PER_MS - 1;
    expect(harness.tell(beatOf(2, { nonce: 18 }))).toEqual([]);
    harness.clock.ns += 1;
    expect(harness.tell(beatOf(2, { nonce: 18 }))).toEqual(["beat 2"]);
  });

  test("is off at rate 0", () => {
    const admission = { perPidRate: 0, globalRate: 0, globalBurst: 0 };
    const harness = strictHarness({ admission });
    const beats = Array.from({ length: 64 }, (_, i) => beatOf(2, { nonce: i + 1 }));
    expect(harness.tell(...beats)).toHaveLength(64);
  });

  test("shed beats spend no global token (I7)", () => {
    const admission = { perPidRate: 8, globalRate: 1, globalBurst: 13 };
    const harness = spent(2, { admission });
    for (let i = 0; i < 10; i++)
      harness.receive(...Array.from({ length: 64 }, (_, n) => beatOf(2, { nonce: 13 + n })));
    expect(harness.moved()).toEqual(["rate_per_pid 640"]);
    expect(harness.tell(beatOf(3), beatOf(4), beatOf(5))).toEqual(["beat 3", "beat 4"]);
    expect(harness.moved()).toEqual(["accepted 2", "rate_global 1"]);
  });
});

describe("the terminal bypass (I8)", () => {
  const admission = { perPidRate: 100, globalRate: 1, globalBurst: 1 };

  test("passes both limits once per edge; the rest of a storm is limited", () => {
    const harness = tracking(2, {}, strictHarness({ admission }));
    const storm = Array.from({ length: 63 }, (_, i) => terminalOf(2, 100 + i));
    expect(harness.tell(...storm)).toEqual(["beat 2"]);
    expect(harness.moved()).toEqual(["accepted 1", "rate_global 62"]);
    harness.pass(20);
    expect(harness.tell(terminalOf(2, 1_000))).toEqual([]);
    expect(harness.moved()).toEqual(["rate_global 1"]);
  });

  test("passes the limit of a process that has beaten too often", () => {
    const harness = spent(2);
    expect(harness.tell(terminalOf(2, 100), terminalOf(2, 101))).toEqual(["beat 2"]);
    expect(harness.moved()).toEqual(["accepted 1", "rate_per_pid 1"]);
  });

  test("is not all that passes an empty bucket: so does a worse status of a sender that is vouched for", () => {
    const harness = tracking(2, {}, strictHarness({ admission }));
    expect(harness.tell(beatOf(2, { nonce: 6 }))).toEqual([]);
    expect(harness.tell(beatOf(2, { nonce: 5, status: STATUS_CRITICAL }))).toEqual([]);
    expect(harness.tell(beatOf(2, { nonce: 7, status: STATUS_CRITICAL }))).toEqual(["beat 2"]);
    expect(harness.moved()).toEqual(["accepted 1", "rate_global 2"]);
  });

  test("a worse status of a sender that nothing vouches for needs a token like any other", () => {
    const harness = tracking(2, { peerPid: 0 }, strictHarness({ admission }));
    expect(harness.tell(beatOf(2, { nonce: 7, status: STATUS_CRITICAL, peerPid: 0 }))).toEqual([]);
    expect(harness.moved()).toEqual(["rate_global 1"]);
  });

  test("opens again after a regular beat, if the timestamp advances", () => {
    const harness = tracking(2, {}, strictHarness({ admission }));
    expect(harness.tell(terminalOf(2, 100))).toEqual(["beat 2"]);
    harness.pass(1_000);
    expect(harness.tell(beatOf(2, { nonce: 6 }))).toEqual(["beat 2"]);
    harness.moved();
    expect(harness.tell(terminalOf(2, 100), terminalOf(2, 99))).toEqual([]);
    expect(harness.moved()).toEqual(["rate_global 2"]);
    expect(harness.tell(terminalOf(2, 101))).toEqual(["beat 2"]);
  });

  test("a stale timestamp never bypasses the bucket", () => {
    const harness = tracking(2, {}, strictHarness({ admission: { ...admission, perPidRate: 0 } }));
    expect(harness.tell(terminalOf(2, 100))).toEqual(["beat 2"]);
    harness.pass(1_000);
    expect(harness.tell(beatOf(2, { nonce: 6 }))).toEqual(["beat 2"]);
    harness.moved();
    expect(harness.tell(terminalOf(2, 100))).toEqual([]);
    expect(harness.moved()).toEqual(["rate_global 1"]);
  });

  test("an unattested terminal beat passes the per-pid limit but not the bucket", () => {
    const harness = tracking(2, { peerPid: 0 }, strictHarness({ admission }));
    expect(harness.tell(terminalOf(2, 100, { peerPid: 0 }))).toEqual([]);
    expect(harness.moved()).toEqual(["rate_global 1"]);
  });

  test("the first beat of an untracked pid has no edge to bypass by", () => {
    const harness = tracking(2, {}, strictHarness({ admission }));
    expect(harness.tell(terminalOf(3, 100))).toEqual([]);
    expect(harness.moved()).toEqual(["rate_global 1"]);
  });

  test("a conflict that came in by the bypass is counted, and told only if a token is left", () => {
    const harness = tracking(2, { peerPid: 0 }, strictHarness({ admission }));
    expect(harness.tell(terminalOf(2, 100))).toEqual([]);
    expect(harness.moved()).toEqual(["origin_conflict 1"]);
    harness.pass(1_000);
    expect(harness.tell(terminalOf(2, 100))).toEqual([
      `origin-conflict 2 ${ORIGIN_KERNEL_ATTESTED} slot ${ORIGIN_SOCKET_MODE_ONLY}`,
    ]);
    expect(harness.moved()).toEqual(["origin_conflict 1"]);
  });

  test("a namespace refusal that came in by the bypass pays like any other", () => {
    const harness = tracking(2, { peerPid: 0 }, strictHarness({ admission }));
    harness.processes.set(2, 20, FOREIGN);
    expect(harness.tell(terminalOf(2, 100))).toEqual([]);
    expect(harness.moved()).toEqual(["rate_global 1"]);
    harness.pass(1_000);
    expect(harness.tell(terminalOf(2, 100))).toEqual([`namespace-conflict 2 ${FOREIGN}`]);
    expect(harness.moved()).toEqual(["cross_namespace 1"]);
  });

  test("a terminal beat that ends a run of silence reads the identity, although the bucket is empty", () => {
    const harness = tracking(2, {}, strictHarness({ admission: { ...admission, globalRate: 1 } }));
    harness.pass(200);
    expect(harness.tell(terminalOf(2, 100))).toEqual(["beat 2"]);
    expect(harness.processes.takeReads()).toBeGreaterThan(0);
  });
});
