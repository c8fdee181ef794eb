// The secure listener on a real socket against its literal twin: honest agents, and an attacker on
// the way who keeps every datagram and sends it again, damaged, cut, swapped or as it was. Verdicts
// and plaintexts must agree, and a refusal must leave the state of every sender as it is.
import {
  REJECT_DECRYPT,
  REJECT_REPLAY,
  REJECT_SENDER_TABLE_FULL,
  REJECT_WRONG_SIZE,
} from "../../src/base/reject_reason.ts";
import { SECURE } from "../../src/listener/counters.ts";
import { VERDICT_CONTROL, VERDICT_PASS } from "../../src/listener/received_batch.ts";
import { SecureUdpListener } from "../../src/listener/secure_udp.ts";
import { deriveAgentKey } from "../../src/wire/key_derivation.ts";
import { sealMaster, sealShared } from "../../src/wire/secure_frame.ts";
import { ReplayHarness } from "../listener/replay_harness.ts";
import { receiveRows, UdpPeer } from "../listener/udp_peer.ts";
import { referenceControlBytes, referenceControlDatagram } from "../reference/control_datagram.ts";
import { referenceDecode, referenceEncode } from "../reference/frame.ts";
import { type SealedBeat, TERMINAL } from "../reference/replay.ts";
import { ReferenceSecureListener } from "../reference/secure_listener.ts";
import type { Random } from "../simulation/random.ts";
import { counted } from "../support/since.ts";
import { damage, randomBytes } from "./bytes.ts";
import { count, type FuzzTarget, same } from "./fuzz.ts";

const DATAGRAMS_PER_ROUND = 48;
const GAP_NS = 1e9;
const TTL_NS = 600e9;
const SWEEP_NS = 60e9;
const SENDER_STATES = 3;
const PIDS = [2, 3, 4, 5];
const VERDICTS = new Map([
  [VERDICT_PASS, "pass"],
  [VERDICT_CONTROL, "pass"],
  [REJECT_WRONG_SIZE, "wrong_size"],
  [REJECT_DECRYPT, "decrypt"],
  [REJECT_SENDER_TABLE_FULL, "sender_table_full"],
  [REJECT_REPLAY, "replay"],
]);

export class SecureTarget implements FuzzTarget {
  readonly counts = new Map<string, number>();

  round(random: Random): void {
    const attack = new Attack(random);
    try {
      for (let sent = 0; sent < DATAGRAMS_PER_ROUND; sent++) count(this, attack.next());
      attack.compareTrials();
    } finally {
      attack[Symbol.dispose]();
    }
  }

  [Symbol.dispose](): void {}
}

interface Keys {
  readonly shared: readonly Uint8Array[];
  readonly master: Uint8Array | undefined;
}

/** One agent: it seals as it should. */
class Agent {
  readonly pid: number;
  readonly usesMaster: boolean;
  #prefix: Uint8Array;
  #counter = 0;
  #nonce = 1n;
  #timestamp = 1n;

  constructor(random: Random, pid: number, hasMaster: boolean, hasShared: boolean) {
    this.pid = pid;
    this.usesMaster = hasMaster && (!hasShared || random.chance(0.5));
    this.#prefix = randomBytes(random, 8);
  }

  datagram(random: Random, keys: Keys): Uint8Array {
    if (random.chance(0.1)) {
      this.#prefix = random.chance(0.2) ? new Uint8Array(8) : randomBytes(random, 8);
      this.#counter = random.chance(0.9) ? 0 : 0xffff_fff0 + random.below(16);
    }
    const isCrash = random.chance(0.12);
    this.#timestamp += BigInt(random.below(3));
    if (isCrash) this.#timestamp += 1n;
    const fields = {
      status: isCrash ? 2 : random.chance(0.97) ? random.below(3) : 3,
      pid: this.pid,
      timestamp: this.#timestamp,
      nonce: isCrash ? TERMINAL : this.#nonce,
      payload: random.u32(),
    };
    if (!isCrash) this.#nonce += 1n;
    const isControl = !isCrash && random.chance(0.15);
    const frame = isControl ? this.#greeting(random, fields.nonce) : referenceEncode(fields);
    if (random.chance(0.02)) frame[20]! ^= 4;
    const ivRandom = isCrash ? randomBytes(random, 8) : this.#prefix;
    const ivCounter = isCrash ? 0 : this.#counter++ >>> 0;
    return this.#sealed(random, keys, { ivRandom, ivCounter, frame });
  }

  #greeting(random: Random, nonce: bigint): Uint8Array {
    const kind = random.chance(0.95) ? 1 + random.below(2) : 3;
    return referenceControlBytes({ kind, pid: this.pid, nonce, intervalMs: 7, name: "web-1" });
  }

  #sealed(
    random: Random,
    { shared, master }: Keys,
    sealed: { ivRandom: Uint8Array; ivCounter: number; frame: Uint8Array },
  ): Uint8Array {
    if (!this.usesMaster || master === undefined)
      return sealShared({ key: random.pick(shared), ...sealed });
    return sealMaster(this.pid, { key: deriveAgentKey(master, this.pid), ...sealed });
  }
}

/** An agent that seals, with its own key, the beat of another. */
function impersonation(random: Random, master: Uint8Array): Uint8Array {
  const [own, other] = [random.pick(PIDS), random.pick(PIDS)];
  const frame = referenceEncode({ status: 0, pid: other, timestamp: 9n, nonce: 99n, payload: 0 });
  const key = deriveAgentKey(master, own);
  return sealMaster(own, { key, ivRandom: randomBytes(random, 8), ivCounter: 0, frame });
}

class Attack implements Disposable {
  readonly #random: Random;
  readonly #keys: Keys;
  readonly #listener: SecureUdpListener;
  readonly #peers: readonly UdpPeer[];
  readonly #twin: ReferenceSecureListener;
  readonly #machine = new ReplayHarness(SENDER_STATES);
  readonly #agents: readonly Agent[];
  readonly #captured: Uint8Array[] = [];
  #nowNs = 1;
  #nextSweepNs = 1 + SWEEP_NS;
  /** Datagrams for which the honest agents stay silent: the time for what was captured. */
  #silence = 0;

  constructor(random: Random) {
    this.#random = random;
    const hasMaster = random.chance(0.6);
    const sharedCount = hasMaster ? random.below(4) : 1 + random.below(3);
    this.#keys = {
      shared: Array.from({ length: sharedCount }, () => randomBytes(random, 32)),
      master: hasMaster ? randomBytes(random, 32) : undefined,
    };
    this.#agents = PIDS.map((pid) => new Agent(random, pid, hasMaster, sharedCount > 0));
    const { shared, master } = this.#keys;
    this.#twin = new ReferenceSecureListener(this.#keys, SENDER_STATES, GAP_NS);
    this.#twin.takesControl = random.chance(0.8);
    this.#listener = new SecureUdpListener({
      name: "fuzz",
      address: "127.0.0.1",
      port: 0,
      rcvbufBytes: 0,
      acceptRecovery: false,
      restartGapNs: GAP_NS,
      senderStates: SENDER_STATES,
      takesControl: this.#twin.takesControl,
      monotonicNs: () => this.#nowNs,
      keys: { shared: shared.map((key) => key.slice()), master: master?.slice() },
    });
    this.#peers = [new UdpPeer(this.#listener), new UdpPeer(this.#listener)];
  }

  /** Sends one datagram and compares; gives its verdict. */
  next(): string {
    const random = this.#random;
    if (random.chance(0.06)) {
      this.#nowNs += random.pick([GAP_NS - 1, GAP_NS, 3 * GAP_NS, TTL_NS]);
      this.#silence = random.below(6);
    }
    this.#nowNs += random.below(1_000);
    this.#sweep();
    const datagram = this.#datagram();
    const statesBefore = this.#states();
    random.pick(this.#peers).send(datagram);
    const [row] = receiveRows(this.#listener, 1, this.#nowNs);
    const wanted = this.#twin.receive(Uint8Array.from(datagram), this.#nowNs, this.#nowNs);
    const what = `datagram ${datagram.toHex()}`;
    same(what, VERDICTS.get(row!.verdict), wanted);
    const first = this.#twin.plaintext?.subarray(0, 32).toHex();
    if (wanted === "pass") same(`${what}: plaintext`, row!.frame, first);
    if (wanted === "decrypt") same(`${what}: plaintext`, row!.frame, "00".repeat(32));
    same(`${what}: senders`, this.#listener.senderCount, this.#twin.senders.senders.size);
    this.#advance(datagram, wanted);
    if (wanted !== "pass") same(`${what}: states after a refusal`, this.#states(), statesBefore);
    return wanted;
  }

  compareTrials(): void {
    same("trials", counted(this.#listener.counters, SECURE.aeadAttempts), this.#twin.aeadAttempts);
  }

  [Symbol.dispose](): void {
    for (const peer of this.#peers) peer[Symbol.dispose]();
    this.#listener.close();
  }

  // The listener forgets old senders once a minute, at the top of a batch.
  #sweep(): void {
    if (this.#nowNs < this.#nextSweepNs) return;
    this.#nextSweepNs = this.#nowNs + SWEEP_NS;
    this.#twin.senders.sweep(this.#nowNs);
    this.#machine.table.sweep(this.#nowNs);
  }

  #datagram(): Uint8Array {
    const random = this.#random;
    const old = this.#captured.length === 0 ? undefined : random.pick(this.#captured);
    if (old !== undefined && this.#silence > 0) {
      this.#silence -= 1;
      return old;
    }
    if (old === undefined || random.chance(0.5)) {
      const fresh = random.pick(this.#agents).datagram(random, this.#keys);
      this.#captured.push(fresh);
      return fresh;
    }
    const { master } = this.#keys;
    if (master !== undefined && random.chance(0.1)) return impersonation(random, master);
    const bytes = old.slice();
    switch (random.below(6)) {
      case 0:
        damage(random, bytes);
        return bytes;
      case 1:
        return bytes.subarray(0, random.below(bytes.length + 1));
      case 2:
        return Uint8Array.from([...bytes, ...randomBytes(random, 1 + random.below(8))]);
      case 3: {
        // The pid in front, or the whole nonce, of another capture.
        const other = random.pick(this.#captured);
        bytes.set(other.subarray(0, random.pick([4, 8, 12, 16])));
        return bytes;
      }
      case 4:
        return Uint8Array.from([...randomBytes(random, 4), ...bytes.subarray(0, 60)]);
      default:
        return bytes;
    }
  }

  /** The replay machine alone is given the beats that reached it; its columns can be read. */
  #advance(datagram: Uint8Array, verdict: string): void {
    const { plaintext } = this.#twin;
    if (plaintext === undefined) return;
    const isControl = plaintext.length === 64;
    const decoded = isControl ? referenceControlDatagram(plaintext) : referenceDecode(plaintext);
    if (decoded.error !== undefined) return;
    const view = new DataView(datagram.slice(isControl ? -92 : -60).buffer);
    const beat: SealedBeat = {
      pid: Number(decoded.pid),
      prefix: view.getBigUint64(0, true),
      counter: view.getUint32(8, true),
      nonce: decoded.nonce,
      timestamp: "timestamp" in decoded ? decoded.timestamp : 0n,
    };
    const found = isControl
      ? this.#machine.arriveControl(beat, this.#nowNs, this.#nowNs)
      : this.#machine.arrive(beat, this.#nowNs, this.#nowNs, GAP_NS);
    same("the replay machine", found, verdict);
    for (const [pid, state] of this.#twin.senders.senders)
      same(`state of pid ${pid}`, this.#machine.state(pid), state);
  }

  #states(): unknown[] {
    return PIDS.map((pid) => this.#machine.state(pid));
  }
}
