// The secure listener on a real socket against its literal twin (test/reference/secure_listener.ts)
// under hostile scripts, and both UDP listeners under a real observer: every datagram ends in
// exactly one place.
import { expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import * as reason from "../../src/base/reject_reason.ts";
import type { EventBatch } from "../../src/events/event_batch.ts";
import { EVENT_BEAT } from "../../src/events/event_batch.ts";
import { SECURE } from "../../src/listener/counters.ts";
import { VERDICT_PASS } from "../../src/listener/received_batch.ts";
import { SecureUdpListener } from "../../src/listener/secure_udp.ts";
import { UdpListener } from "../../src/listener/udp.ts";
import { ObserverClock } from "../../src/observer/clock.ts";
import { LibraryObserver } from "../../src/observer/library.ts";
import { encode } from "../../src/wire/encode.ts";
import { NONCE_TERMINAL } from "../../src/wire/frame.ts";
import { deriveAgentKey } from "../../src/wire/key_derivation.ts";
import { sealMaster, sealShared } from "../../src/wire/secure_frame.ts";
import { ReferenceSecureListener } from "../reference/secure_listener.ts";
import { atLength } from "../support/at_length.ts";
import { counted, since } from "../support/since.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";
import { receiveRows, UdpPeer } from "./udp_peer.ts";

setDefaultTimeout(TEST_MS_MAX);

const RUNS = atLength(8, 100);
/** For many runs on a busy machine. */
const LONG_RUN_MS = 120_000;
const GAP = 1e9;
const NET = { address: "127.0.0.1", port: 0, rcvbufBytes: 0, acceptRecovery: false };
const NO_PROCESSES = {
  startTime: () => Number.NaN,
  hasEnded: () => false,
  realUid: () => Number.NaN,
  innermostPid: () => Number.NaN,
  namespaceInode: () => Number.NaN,
};

const VERDICT_TEXTS = new Map([
  [VERDICT_PASS, "pass"],
  [reason.REJECT_WRONG_SIZE, "wrong_size"],
  [reason.REJECT_DECRYPT, "decrypt"],
  [reason.REJECT_SENDER_TABLE_FULL, "sender_table_full"],
  [reason.REJECT_REPLAY, "replay"],
]);

type Step =
  | { readonly kind: "fresh"; readonly sealed: Sealed }
  | { readonly kind: "again"; readonly back: number };

interface Sealed {
  readonly pid: number;
  readonly nonce: bigint;
  readonly timestamp: bigint;
  readonly key: number;
  readonly form: "shared" | "shared with a pid in front" | "master";
  readonly prefix: number;
  readonly counter: number;
  readonly pidInFront: number;
  readonly cut: number;
  readonly flipBit: number | undefined;
  readonly frameBitFlipped: boolean;
  readonly laterNs: number;
}

const MASTER = 9;

function key(fill: number): Uint8Array {
  return new Uint8Array(32).fill(fill);
}

function keySet(shared: readonly number[], hasMaster: boolean) {
  const master = hasMaster || shared.length === 0 ? key(MASTER) : undefined;
  return { shared: shared.map(key), master };
}

function bytesOf(sealed: Sealed): Uint8Array {
  const { pid, nonce, timestamp } = sealed;
  const status = nonce === NONCE_TERMINAL ? "critical" : "ok";
  const frame = encode({ status, pid, timestamp, nonce, payload: 0 });
  if (sealed.frameBitFlipped) frame[20]! ^= 4;
  const ivRandom = new Uint8Array(8).fill(sealed.prefix);
  const options = { key: key(sealed.key), ivRandom, ivCounter: sealed.counter, frame };
  const datagram = datagramOf(sealed, options);
  const { flipBit, cut } = sealed;
  if (flipBit !== undefined && flipBit < datagram.length * 8)
    datagram[flipBit >>> 3]! ^= 1 << (flipBit & 7);
  return cut > 0 ? datagram.subarray(0, datagram.length - cut) : datagram;
}

function datagramOf(sealed: Sealed, options: Parameters<typeof sealShared>[0]): Uint8Array {
  if (sealed.form === "shared") return sealShared(options);
  if (sealed.form === "master") {
    const agentKey = deriveAgentKey(key(MASTER), sealed.pidInFront);
    return sealMaster(sealed.pidInFront, { ...options, key: agentKey });
  }
  const front = new DataView(new ArrayBuffer(4));
  front.setUint32(0, sealed.pidInFront, true);
  return Uint8Array.from([...new Uint8Array(front.buffer), ...sealShared(options)]);
}

function steps(): fc.Arbitrary<Step[]> {
  const rarely = fc.oneof(
    { weight: 9, arbitrary: fc.constant(false) },
    { weight: 1, arbitrary: fc.constant(true) },
  );
  const sealed = fc
    .record({
      pid: fc.constantFrom(2, 3, 4, 5),
      nonce: fc.oneof(fc.bigInt({ min: 0n, max: 20n }), fc.constant(NONCE_TERMINAL)),
      timestamp: fc.bigInt({ min: 0n, max: 5n }),
      key: fc.constantFrom(1, 2, 3, 4),
      form: fc.constantFrom<Sealed["form"][]>("shared", "shared with a pid in front", "master"),
      prefix: fc.constantFrom(0, 0xa1, 0xb2, 0xc3),
      counter: fc.nat(12),
      otherPidInFront: rarely,
      cut: fc.oneof({ weight: 12, arbitrary: fc.constant(0) }, fc.constantFrom(1, 4, 28)),
      flipBit: fc.oneof({ weight: 8, arbitrary: fc.constant(undefined) }, fc.nat(511)),
      frameBitFlipped: rarely,
      laterNs: fc.oneof({ weight: 9, arbitrary: fc.nat(1_000) }, fc.constantFrom(GAP, 3 * GAP)),
    })
    .map(({ otherPidInFront, ...rest }) => ({
      ...rest,
      pidInFront: otherPidInFront ? rest.pid + 1 : rest.pid,
    }));
  const fresh = sealed.map((each): Step => ({ kind: "fresh", sealed: each }));
  const again = fc.nat(20).map((back): Step => ({ kind: "again", back }));
  const step = fc.oneof({ weight: 12, arbitrary: fresh }, { weight: 5, arbitrary: again });
  return fc.array(step, { minLength: 10, maxLength: 60 });
}

test(
  "verdicts, trials and plaintexts are those of the literal twin",
  () => {
    fc.assert(
      fc.property(steps(), (script) => {
        let nowNs = 0;
        const listener = new SecureUdpListener({
          ...NET,
          name: "secure",
          keys: keySet([1, 2], true),
          restartGapNs: GAP,
          senderStates: 3,
          monotonicNs: () => nowNs,
        });
        const peer = new UdpPeer(listener);
        const slow = new ReferenceSecureListener(keySet([1, 2], true), 3, GAP);
        const sent: Uint8Array[] = [];
        try {
          for (const step of script) {
            const datagram =
              step.kind === "fresh" ? bytesOf(step.sealed) : sent[sent.length - 1 - step.back];
            if (datagram === undefined) continue;
            if (step.kind === "fresh") nowNs += step.sealed.laterNs;
            sent.push(datagram);
            peer.send(datagram);
            const [row] = receiveRows(listener, 1, nowNs);
            const expected = slow.receive(Uint8Array.from(datagram), nowNs, nowNs);
            expect(VERDICT_TEXTS.get(row!.verdict)).toBe(expected);
            if (expected === "pass") expect(row!.frame).toBe(slow.plaintext!.toHex());
            expect(listener.senderCount).toBe(slow.senders.senders.size);
          }
          expect(counted(listener.counters, SECURE.aeadAttempts)).toBe(slow.aeadAttempts);
        } finally {
          peer[Symbol.dispose]();
          listener.close();
        }
      }),
      { numRuns: RUNS },
    );
  },
  LONG_RUN_MS,
);

test(
  "under an observer every datagram is accepted or has one reason, and the counters agree",
  () => {
    fc.assert(
      fc.property(steps(), (script) => {
        let nowNs = 1;
        const observer = new LibraryObserver({
          thresholdNs: GAP,
          clock: new ObserverClock({ readNs: () => nowNs }),
          processes: NO_PROCESSES,
          trackerCapacity: 3,
        });
        const plain = new UdpListener({ ...NET, name: "plain" });
        const secure = new SecureUdpListener({
          ...NET,
          name: "secure",
          keys: keySet([1, 2], true),
          restartGapNs: GAP,
          senderStates: 3,
          monotonicNs: () => nowNs,
        });
        observer.addListener(plain);
        observer.addListener(secure);
        const toPlain = new UdpPeer(plain);
        const toSecure = new UdpPeer(secure);
        let beats = 0;
        const countBeats = (rows: EventBatch, count: number) => {
          for (let i = 0; i < count; i++) if (rows.kind[i] === EVENT_BEAT) beats++;
        };
        try {
          let sent = 0;
          for (const step of script) {
            if (step.kind !== "fresh") continue;
            nowNs += step.sealed.laterNs;
            const { pid, nonce, timestamp, cut } = step.sealed;
            const status = nonce === NONCE_TERMINAL ? "critical" : "ok";
            const bare = encode({ status, pid: pid + 10, timestamp, nonce, payload: 0 });
            toPlain.send(bare.subarray(cut));
            toSecure.send(bytesOf(step.sealed));
            sent++;
          }
          for (let consumed = 0; consumed < 2 * sent; )
            consumed += observer.pump(countBeats, 4_096);
          expectIdentity(observer, sent, beats);
          expect(
            since(plain, "truncated", plain.truncated) + counted(secure.counters, SECURE.truncated),
          ).toBe(observer.drainTruncated());
          expect(counted(secure.counters, SECURE.decryptFailures)).toBe(
            observer.drainDecryptFailures(),
          );
          expect(counted(secure.counters, SECURE.replayRefused)).toBe(
            observer.drainReplayRefused(),
          );
          expect(counted(secure.counters, SECURE.senderStateFull)).toBe(
            observer.drainSenderStateFull(),
          );
        } finally {
          toPlain[Symbol.dispose]();
          toSecure[Symbol.dispose]();
          observer.close();
        }
      }),
      { numRuns: RUNS },
    );
  },
  LONG_RUN_MS,
);

function expectIdentity({ accounting }: LibraryObserver, sent: number, beats: number): void {
  for (const listenerNumber of [0, 1]) {
    expect(accounting.received[listenerNumber]).toBe(sent);
    expect(accounting.accepted[listenerNumber]! + accounting.rejectedTotal(listenerNumber)).toBe(
      sent,
    );
  }
  expect(accounting.accepted[0]! + accounting.accepted[1]!).toBe(beats);
}
