// The replay machine: every row of its table of cases, the quirks that the specification names, and
// random interleavings against the literal twin (test/reference/replay.ts).
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { ReferenceSenders, type SealedBeat, TERMINAL } from "../reference/replay.ts";
import { atLength } from "../support/at_length.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { ReplayHarness } from "./replay_harness.ts";

setDefaultTimeout(TEST_MS_MAX);

const RUNS = atLength(80, 1_000);
const GAP = 1_000;
const A = 0xaaaa_0001_0000_0001n;
const B = 0xbbbb_0001_0000_0001n;
const C = 0xcccc_0001_0000_0001n;
const D = 0xdddd_0001_0000_0001n;
const E = 0xeeee_0001_0000_0001n;

/** One sender at a time: `send(prefix, counter, nonce)`, with the observer's clock at `at`. */
class Script {
  readonly harness = new ReplayHarness(16);
  nowNs = 0;

  send(prefix: bigint, counter: number, nonce: bigint, timestamp = 1n): string {
    const beat = { pid: 7, prefix, counter, nonce, timestamp };
    const before = this.harness.state(7);
    const verdict = this.harness.arrive(beat, this.nowNs, this.nowNs, GAP);
    if (verdict !== "pass") expect(this.harness.state(7)).toEqual(before!);
    return verdict;
  }

  /** Like `send`, after `ns` more. */
  later(ns: number): this {
    this.nowNs += ns;
    return this;
  }
}

describe("within one prefix (case A)", () => {
  test("only a higher counter is new, whatever the nonce says", () => {
    const script = new Script();
    expect(script.send(A, 5, 100n)).toBe("pass");
    expect(script.send(A, 5, 101n)).toBe("replay");
    expect(script.send(A, 4, 102n)).toBe("replay");
    expect(script.send(A, 6, 1n)).toBe("pass");
    expect(script.send(A, 2 ** 32 - 1, 103n)).toBe("pass");
    expect(script.send(A, 0, 104n)).toBe("replay");
  });

  test("silence longer than the gap does not open it", () => {
    const script = new Script();
    script.send(A, 5, 100n);
    expect(script.later(10 * GAP).send(A, 5, 100n)).toBe("replay");
  });
});

describe("a new prefix (case C)", () => {
  test("needs a nonce above every one seen, and becomes the current one", () => {
    const script = new Script();
    script.send(A, 9, 100n);
    expect(script.send(B, 0, 100n)).toBe("replay");
    expect(script.send(B, 0, 101n)).toBe("pass");
    expect(script.send(B, 0, 102n)).toBe("replay");
    expect(script.send(B, 1, 102n)).toBe("pass");
  });

  test("leaves the one before open to late frames (case B), without coming back", () => {
    const script = new Script();
    script.send(A, 9, 100n);
    script.send(B, 0, 101n);
    expect(script.send(A, 9, 100n)).toBe("replay");
    expect(script.send(A, 10, 90n)).toBe("pass");
    expect(script.send(A, 10, 90n)).toBe("replay");
    expect(script.harness.state(7)!.prefix).toBe(B);
  });

  test("closes the one before the last: its frames are aged-out replays", () => {
    const script = new Script();
    script.send(A, 1, 100n);
    script.send(B, 0, 101n);
    script.send(C, 0, 102n);
    expect(script.send(A, 2, 99n)).toBe("replay");
    expect(script.send(A, 1, 100n)).toBe("replay");
    expect(script.send(B, 1, 50n)).toBe("pass");
  });

  test("counts the nonces of late frames too", () => {
    const script = new Script();
    script.send(A, 0, 100n);
    script.send(B, 0, 101n);
    script.send(A, 1, 500n);
    expect(script.send(C, 0, 500n)).toBe("replay");
    expect(script.send(C, 0, 501n)).toBe("pass");
  });

  test("tells prefixes apart by all 64 bits", () => {
    const script = new Script();
    script.send(A, 5, 100n);
    for (const other of [A + 1n, A ^ (1n << 32n), A ^ (1n << 63n)])
      expect(script.send(other, 6, 100n)).toBe("replay");
  });
});

describe("terminal frames", () => {
  test("are known by their timestamp (case C'), and the first one always passes", () => {
    const script = new Script();
    script.send(A, 3, 100n);
    expect(script.send(B, 0, TERMINAL, 50n)).toBe("pass");
    expect(script.send(C, 0, TERMINAL, 50n)).toBe("replay");
    expect(script.send(C, 0, TERMINAL, 49n)).toBe("replay");
    expect(script.send(C, 0, TERMINAL, 51n)).toBe("pass");
  });

  test("do not poison the nonces: the next session goes on", () => {
    const script = new Script();
    script.send(A, 3, 100n);
    script.send(B, 0, TERMINAL, 50n);
    expect(script.send(C, 0, 101n)).toBe("pass");
  });

  test("never count as a restart, so a replayed one cannot reset the nonces", () => {
    const script = new Script();
    script.send(A, 3, 100n);
    script.send(B, 0, TERMINAL, 50n);
    script.send(C, 0, 101n);
    script.send(D, 0, 102n);
    script.later(5 * GAP);
    expect(script.send(B, 0, TERMINAL, 50n)).toBe("replay");
    expect(script.harness.state(7)!.nonceMax).toBe(102n);
    expect(script.send(E, 3, 100n)).toBe("pass");
  });

  test("as the first frame of a sender leave its nonces at 0", () => {
    const script = new Script();
    expect(script.send(A, 0, TERMINAL, 9n)).toBe("pass");
    expect(script.send(B, 0, 1n)).toBe("pass");
    expect(script.harness.state(7)!.terminalTimestamp).toBe(9n);
  });
});

describe("a restart (case D)", () => {
  test("is believed after the gap and not a nanosecond before", () => {
    const script = new Script();
    script.send(A, 9, 5_000n);
    script.later(GAP - 1);
    expect(script.send(B, 0, 1n)).toBe("replay");
    script.later(1);
    expect(script.send(B, 0, 1n)).toBe("pass");
  });

  test("forgets everything that was before", () => {
    const script = new Script();
    script.send(A, 9, 5_000n);
    script.send(B, 3, 5_001n);
    script.send(C, 0, TERMINAL, 77n);
    script.later(GAP).send(D, 4, 2n);
    expect(script.harness.state(7)).toEqual({
      prefix: D,
      counter: 4,
      previousPrefix: 0n,
      previousCounter: 0,
      nonceMax: 2n,
      timestampMax: 1n,
      terminalTimestamp: undefined,
      seenInstantNs: GAP,
      seenNs: GAP,
    });
  });

  test("waits for silence since the last frame that was accepted: refused ones do not prolong it", () => {
    const script = new Script();
    script.send(A, 9, 5_000n);
    script.later(GAP - 1).send(A, 9, 5_000n);
    expect(script.later(1).send(B, 0, 1n)).toBe("pass");
  });

  test("does not happen on a clock that went back", () => {
    const script = new Script();
    script.later(5 * GAP).send(A, 9, 5_000n);
    expect(script.later(-5 * GAP).send(B, 0, 1n)).toBe("replay");
  });

  test("follows the gap that it is given", () => {
    const harness = new ReplayHarness(4);
    const first = { pid: 7, prefix: A, counter: 9, nonce: 50n, timestamp: 1n };
    const restart = { ...first, prefix: B, counter: 0, nonce: 1n };
    harness.arrive(first, 0, 0, GAP);
    expect(harness.arrive(restart, 500, 500, GAP)).toBe("replay");
    expect(harness.arrive(restart, 500, 500, 501)).toBe("replay");
    expect(harness.arrive(restart, 500, 500, 500)).toBe("pass");
  });
});

describe("a recording", () => {
  test("of a session that is over is refused for ever, also when its nonces are above the present ones", () => {
    const script = new Script();
    for (const counter of [0, 1, 2]) script.send(A, counter, 5n + BigInt(counter), 10n);
    expect(script.later(2 * GAP).send(B, 0, 1n, 10n)).toBe("pass");
    for (const silenceNs of [1, GAP - 1, 1, 10 * GAP])
      for (const counter of [0, 1, 2, 3])
        expect(script.later(silenceNs).send(A, counter, 5n + BigInt(counter), 10n)).toBe("replay");
  });

  test("of a prefix that fell out of the history is no restart, however long the silence", () => {
    const script = new Script();
    script.send(A, 0, 1n);
    script.send(B, 0, 2n);
    script.send(C, 0, 3n);
    script.send(D, 0, 4n);
    expect(script.later(10 * GAP).send(A, 0, 1n)).toBe("replay");
    expect(script.send(B, 0, 2n)).toBe("replay");
    expect(script.send(E, 0, 1n)).toBe("pass");
  });

  test("of a session that was not seen here does not refresh its sender within the gap", () => {
    const script = new Script();
    script.send(B, 0, 1n, 1_000n);
    // Recorded before the observer started: its nonces are above the present ones, its clock is
    // earlier.
    expect(script.later(GAP - 1).send(A, 7, 900n, 500n)).toBe("replay");
    expect(script.send(A, 8, TERMINAL, 501n)).toBe("replay");
  });

  test("begins no session at all while the gap is endless: its pid is watched and not silent", () => {
    const harness = new ReplayHarness(4);
    const first = { pid: 7, prefix: A, counter: 9, nonce: 50n, timestamp: 9n };
    harness.arrive(first, 0, 0, GAP);
    const recorded = { ...first, prefix: B, counter: 0, nonce: 1n, timestamp: 3n };
    expect(harness.arrive(recorded, 9 * GAP, 9 * GAP, Number.POSITIVE_INFINITY)).toBe("replay");
    expect(harness.arrive(recorded, 9 * GAP, 9 * GAP, GAP)).toBe("pass");
  });
});

describe("a restart on the same machine", () => {
  test("is believed at once: its clock went on, though its nonces begin again", () => {
    const script = new Script();
    script.send(A, 9, 5_000n, 100n);
    expect(script.later(1).send(B, 0, 1n, 100n)).toBe("replay");
    expect(script.send(B, 0, 1n, 101n)).toBe("pass");
    expect(script.send(B, 1, 2n, 102n)).toBe("pass");
    expect(script.send(A, 10, 5_001n, 103n)).toBe("replay");
  });
});

test("several clients of one process beat in turns, each under its prefix", () => {
  const script = new Script();
  for (let nonce = 1n; nonce <= 20n; nonce++)
    expect(script.send([A, B, C, D][Number(nonce % 4n)]!, Number(nonce), nonce, nonce)).toBe(
      "pass",
    );
});

describe("kept quirks", () => {
  test("the first frame of a sender may have an all-zero prefix and counter 0", () => {
    expect(new Script().send(0n, 0, 1n)).toBe("pass");
  });

  test("an all-zero prefix of a known sender meets the empty previous prefix: it needs a counter above 0", () => {
    const script = new Script();
    script.send(A, 0, 1n);
    expect(script.send(0n, 0, 2n)).toBe("replay");
    expect(script.send(0n, 1, 2n)).toBe("pass");
    expect(script.harness.state(7)!.prefix).toBe(A);
  });

  test("nonce 0 on a new prefix is never above another: a wrap together with a rotation waits for the gap", () => {
    const script = new Script();
    script.send(A, 0, 0n);
    expect(script.send(B, 0, 0n)).toBe("replay");
    script.send(A, 1, TERMINAL - 1n);
    expect(script.send(B, 0, 0n)).toBe("replay");
    expect(script.later(GAP).send(B, 0, 0n)).toBe("pass");
  });
});

interface Step {
  readonly beat: SealedBeat;
  readonly laterNs: number;
  readonly instantLaterNs: number;
}

function steps(): fc.Arbitrary<Step[]> {
  const nonce = fc.oneof(
    { weight: 8, arbitrary: fc.bigInt({ min: 0n, max: 12n }) },
    { weight: 2, arbitrary: fc.constant(TERMINAL) },
    { weight: 1, arbitrary: fc.constantFrom(2n ** 32n - 1n, 2n ** 32n, TERMINAL - 1n) },
  );
  const beat = fc.record({
    pid: fc.constantFrom(2, 3, 4, 5, 2 ** 32 - 1),
    prefix: fc.constantFrom(0n, A, B, C, D, A ^ (1n << 32n)),
    counter: fc.oneof(fc.nat(4), fc.constantFrom(2 ** 31, 2 ** 32 - 1)),
    nonce,
    timestamp: fc.constantFrom(0n, 1n, 2n, 2n ** 32n - 1n, 2n ** 32n, TERMINAL - 1n),
  });
  const laterNs = fc.oneof(
    { weight: 6, arbitrary: fc.nat(300) },
    { weight: 1, arbitrary: fc.constantFrom(GAP - 1, GAP, 2 * GAP) },
  );
  const instantLaterNs = fc.oneof(
    { weight: 8, arbitrary: fc.nat(1_000) },
    { weight: 1, arbitrary: fc.constantFrom(599e9, 600e9, -100e9) },
  );
  return fc.array(fc.record({ beat, laterNs, instantLaterNs }), { minLength: 20, maxLength: 120 });
}

test("verdicts and states are those of the literal twin, with a table that is too small", () => {
  fc.assert(
    fc.property(steps(), (script) => {
      const fast = new ReplayHarness(3);
      const slow = new ReferenceSenders(3);
      let nowNs = 0;
      let instantNs = 1_000e9;
      for (const { beat, laterNs, instantLaterNs } of script) {
        nowNs += laterNs;
        instantNs += instantLaterNs;
        const before = snapshot(fast);
        const verdict = fast.arrive(beat, instantNs, nowNs, GAP);
        expect(verdict).toBe(slow.arrive(beat, instantNs, nowNs, GAP));
        if (verdict === "replay") expect(snapshot(fast)).toEqual(before);
        expect(fast.table.size).toBe(slow.senders.size);
        for (const [pid, state] of slow.senders) expect(fast.state(pid)).toEqual(state);
      }
    }),
    { numRuns: RUNS },
  );
});

// An agent counts upwards in every prefix, and its terminal frame has a prefix of its own (spec 02
// section 8). One that does otherwise can have its own frames repeated, which gains it nothing: it
// holds the key.
test("without restarts no (prefix, counter) of a sender is accepted twice, however frames are captured and sent again", () => {
  const session = fc.oneof(
    fc.record({
      nonces: fc.uniqueArray(fc.bigInt({ min: 0n, max: 12n }), { minLength: 1, maxLength: 6 }),
      firstCounter: fc.nat(3),
    }),
    fc.record({ terminalTimestamp: fc.bigInt({ min: 0n, max: 4n }) }),
  );
  const prefixes = [0n, A, B, C, D, A ^ (1n << 63n)];
  fc.assert(
    fc.property(
      fc.array(session, { minLength: 1, maxLength: prefixes.length }),
      fc.array(fc.nat(34), { minLength: 20, maxLength: 150 }),
      (sessions, order) => {
        const captured = sessions.flatMap((plan, at) => framesOf(prefixes[at]!, plan));
        const harness = new ReplayHarness(2);
        const accepted = new Set<SealedBeat>();
        let nowNs = 0;
        for (const at of order) {
          const beat = captured[at % captured.length]!;
          nowNs += 1e9;
          if (harness.arrive(beat, 0, nowNs, Number.POSITIVE_INFINITY) !== "pass") continue;
          expect(accepted.has(beat)).toBe(false);
          accepted.add(beat);
        }
        expect(accepted.size).toBeGreaterThan(0);
      },
    ),
    { numRuns: RUNS },
  );
});

type Session =
  | { readonly nonces: readonly bigint[]; readonly firstCounter: number }
  | { readonly terminalTimestamp: bigint };

function framesOf(prefix: bigint, session: Session): SealedBeat[] {
  if ("terminalTimestamp" in session) {
    const timestamp = session.terminalTimestamp;
    return [{ pid: 9, prefix, counter: 0, nonce: TERMINAL, timestamp }];
  }
  const inOrder = session.nonces.toSorted((a, b) => (a < b ? -1 : 1));
  return inOrder.map((nonce, i) => {
    const counter = session.firstCounter + i;
    return { pid: 9, prefix, counter, nonce, timestamp: nonce };
  });
}

test("an honest agent loses no beat over rotations, with its frames in order", () => {
  const script = new Script();
  let nonce = 0n;
  for (let prefix = 1n; prefix <= 50n; prefix++)
    for (let counter = 0; counter < 20; counter++) {
      nonce += 1n;
      expect(script.later(1).send(prefix, counter, nonce)).toBe("pass");
    }
});

function snapshot(harness: ReplayHarness) {
  return [2, 3, 4, 5, 2 ** 32 - 1].map((pid) => harness.state(pid));
}
