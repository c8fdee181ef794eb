// The secure UDP listener (spec 02 section 4): sealed frames of 60 or 64 bytes, and hellos and byes
// of 92 or 96, opened with shared
// keys or the agent's own, and let through once. How many keys are tried depends on the length of a
// datagram and on the configuration alone, so its sender learns nothing from the time it takes;
// beyond a budget of failures it is not tried at all, whatever it is. What may be a replay is
// refused; a sender that does not fit into the sender table is refused too. An opened frame lies
// where the batch points, ready for the observer.
import * as arena from "../../ffi/receive_batch.ts";
import { Counters } from "../base/counters.ts";
import { IP_WORDS } from "../base/ip_text.ts";
import { BATCH_SIZE, SENDER_STATES_DEFAULT } from "../base/limits.ts";
import { ORIGIN_KEY_ATTESTED, ORIGIN_OPERATOR_ATTESTED, type Origin } from "../base/origin.ts";
import {
  REJECT_DECRYPT,
  REJECT_REPLAY,
  REJECT_SENDER_TABLE_FULL,
  REJECT_WRONG_SIZE,
} from "../base/reject_reason.ts";
import { CONTROL_BYTES, CONTROL_OK, decodeControl } from "../wire/control_datagram.ts";
import { decodeFrame } from "../wire/decode.ts";
import { DECODE_OK } from "../wire/decode_error.ts";
import { WORD_PID } from "../wire/frame.ts";
import {
  FrameOpener,
  MASTER_CONTROL_BYTES,
  MASTER_FRAME_BYTES,
  SEALED_IV_COUNTER,
  SEALED_IV_HIGH,
  SEALED_IV_LOW,
  SHARED_CONTROL_BYTES,
  SHARED_FRAME_BYTES,
} from "../wire/secure_frame.ts";
import { SECURE, type SecureCounters } from "./counters.ts";
import { ForgeryGate, NO_SOURCE } from "./forgery_gate.ts";
import { DATA_STRIDE_BYTES } from "./data_slots.ts";
import { HeldUdpSocket } from "./held_udp_socket.ts";
import { KeyRing, type SecureKeys } from "./key_ring.ts";
import type { Listener } from "./listener.ts";
import { ReceivedBatch, VERDICT_CONTROL, VERDICT_PASS } from "./received_batch.ts";
import {
  Arrival,
  advanceControlWindow,
  advanceWindow,
  beginControlWindow,
  beginWindow,
} from "./replay_window.ts";
import type { RubbishFilter } from "./rubbish_filter.ts";
import { sealedFilters, UDP_HEADER_BYTES } from "./rubbish_program.ts";
import { SenderTable } from "./sender_table.ts";
import { readSource } from "./sources.ts";
import { UdpSocket, type UdpSocketOptions } from "./udp_socket.ts";
import { NS_PER_S } from "../base/time.ts";

const SENDER_SWEEP_NS = 60 * NS_PER_S;

const PLAIN_WORDS = CONTROL_BYTES / 4;

export interface SecureUdpListenerOptions extends UdpSocketOptions {
  /** True: beats may lead to a recovery, at the operator's risk. */
  readonly acceptRecovery: boolean;
  /** What beats count as that may not; default: ORIGIN_KEY_ATTESTED. */
  readonly keyOrigin?: Origin;
  /** The listener takes ownership of the arrays and wipes them. */
  readonly keys: SecureKeys;
  /** Silence after which a pid may begin again: the observer's threshold, always. */
  readonly restartGapNs: number;
  /**
   * Whether a pid is watched and not called silent. Its stall must be reported before a sender may
   * begin again in its place: a frame that arrives between its deadline and the verdict would else
   * suppress the stall.
   */
  readonly isBeating?: (pid: number) => boolean;
  /** The listener's own monotonic clock, for the age of sender states. */
  readonly monotonicNs: () => number;
  /** Senders whose state is kept; default 1,024. */
  readonly senderStates?: number;
  /** Takes hellos and byes, too; it does not change. */
  readonly takesControl?: boolean;
}

export class SecureUdpListener implements Listener {
  readonly kind = "secure-udp";
  readonly name: string;
  readonly allowList = undefined;
  readonly batch: ReceivedBatch;
  readonly #held: HeldUdpSocket;
  readonly #arena: arena.ReceiveBatch;
  readonly #takesControl: boolean;
  readonly counters: SecureCounters = new Counters(SECURE, this);
  readonly #opener = new FrameOpener();
  readonly #controlOpener = new FrameOpener(PLAIN_WORDS);
  readonly #ring: KeyRing;
  /** Whose replay states outlive the daemon. */
  readonly senders: SenderTable;
  readonly #arrival: Arrival;
  readonly #gate: ForgeryGate;
  readonly #monotonicNs: () => number;
  readonly #isBeating: (pid: number) => boolean;
  readonly #keyOrigin: Origin;
  /** Silence after which a sender may begin anew. */
  restartGapNs: number;
  #nextSweepNs: number;
  /** Instant of the last sweep: another one at the same instant finds nothing. */
  #sweptNs = Number.NEGATIVE_INFINITY;

  /** Binds a socket if it is given none; throws `UdpSocketError` if it cannot. */
  constructor(options: SecureUdpListenerOptions, socket?: UdpSocket) {
    this.name = options.name;
    const takesControl = options.takesControl === true;
    this.#takesControl = takesControl;
    this.#arena = new arena.ReceiveBatch({
      // One byte of slack makes an overlong datagram show as one.
      iovBytes: (takesControl ? MASTER_CONTROL_BYTES : MASTER_FRAME_BYTES) + 1,
      stride: DATA_STRIDE_BYTES,
      credentials: false,
      sources: true,
    });
    this.#keyOrigin = options.keyOrigin ?? ORIGIN_KEY_ATTESTED;
    this.#ring = new KeyRing(options.keys);
    this.senders = new SenderTable(options.senderStates ?? SENDER_STATES_DEFAULT);
    this.#gate = new ForgeryGate(this.senders);
    this.restartGapNs = options.restartGapNs;
    this.#monotonicNs = options.monotonicNs;
    this.#isBeating = options.isBeating ?? (() => false);
    this.#nextSweepNs = options.monotonicNs() + SENDER_SWEEP_NS;
    this.batch = new ReceivedBatch(new Uint32Array(BATCH_SIZE * PLAIN_WORDS));
    if (this.#arena.nameWord >= 0) this.batch.addresses = new Uint32Array(BATCH_SIZE * IP_WORDS);
    for (let i = 0; i < BATCH_SIZE; i++) this.batch.frameWord[i] = i * PLAIN_WORDS;
    this.#arrival = new Arrival(this.batch.words);
    try {
      this.#held = new HeldUdpSocket(socket ?? new UdpSocket(options), {
        programs: (sample) => sealedFilters(UDP_HEADER_BYTES, sample, takesControl),
        sealed: true,
        takesControl: () => takesControl,
      });
    } catch (error) {
      this.#ring.close();
      throw error;
    }
    this.change(options);
  }

  /** Between two receives: frames under the keys of before are opened no more. */
  changeKeys(keys: SecureKeys): void {
    this.#ring.replace(keys);
  }

  /** Goes by other options from the next receive on; socket, keys and replay state are the same. */
  change({
    acceptRecovery,
    rcvbufBytes,
  }: Pick<SecureUdpListenerOptions, "acceptRecovery" | "rcvbufBytes">): void {
    this.batch.origin.fill(acceptRecovery ? ORIGIN_OPERATOR_ATTESTED : this.#keyOrigin);
    this.socket.changeReceiveBuffer(rcvbufBytes);
  }

  /** Receives by another socket from now on; the one before is the caller's. */
  moveTo(socket: UdpSocket): void {
    this.#held.moveTo(socket);
  }

  /** Its socket is another one's; `close` leaves it alone. */
  forsake(): void {
    this.#held.forsake();
  }

  get address(): string {
    return this.socket.address;
  }

  get socket(): UdpSocket {
    return this.#held.socket;
  }

  get filter(): RubbishFilter {
    return this.#held.filter;
  }

  get fd(): number {
    return this.#held.fd;
  }

  /** The bound port, also if 0 was asked for. */
  get port(): number {
    return this.socket.port;
  }

  /** SO_RCVBUF as the kernel granted it; 0 = not set. */
  get rcvbufBytes(): number {
    return this.socket.rcvbufBytes;
  }

  /** Senders known now. */
  get senderCount(): number {
    return this.senders.size;
  }

  receive(nowNs: number): number {
    const count = this.#arena.receive(this.socket.fd);
    if (this.#held.filter.isCounting) this.#held.filter.count(this.#arena, count);
    if (count <= 0) return count;
    const instantNs = this.#monotonicNs();
    if (instantNs >= this.#nextSweepNs) {
      this.#sweep(instantNs);
      this.#nextSweepNs = instantNs + SENDER_SWEEP_NS;
    }
    this.#arrival.nowNs = nowNs;
    this.#arrival.instantNs = instantNs;
    const { verdict, addresses } = this.batch;
    const untriedBefore = this.counters.get(SECURE.untried);
    for (let i = 0; i < count; i++) {
      verdict[i] = this.#verdictOn(i, instantNs);
      if (addresses !== undefined && verdict[i]! >= VERDICT_CONTROL)
        readSource(this.#arena, i, addresses);
    }
    // Genuine beats wait in the same buffer as the forged ones.
    if (this.counters.get(SECURE.untried) > untriedBefore) this.socket.bearFlood();
    return count;
  }

  /** Datagrams that the kernel dropped because the buffer was full. */
  get kernelDrops(): number {
    return this.#held.kernelDrops;
  }

  /** Closes the socket and wipes the keys; idempotent. */
  close(): void {
    this.#held.close();
    this.#ring.close();
    this.#opener.wipe();
    this.#controlOpener.wipe();
  }

  // The verdict on datagram i of the arena; its plaintext is put into the batch.
  #verdictOn(i: number, instantNs: number): number {
    const { words, dataWord, dataStride, nameWord } = this.#arena;
    const sizeBytes = words[i * arena.HEADER_STRIDE + arena.HEADER_LENGTH]!;
    const at = dataWord + i * dataStride;
    const isControl = this.#takesControl && sizeBytes >= SHARED_CONTROL_BYTES;
    const hasAgentPid = sizeBytes === (isControl ? MASTER_CONTROL_BYTES : MASTER_FRAME_BYTES);
    if (!hasAgentPid && sizeBytes !== (isControl ? SHARED_CONTROL_BYTES : SHARED_FRAME_BYTES)) {
      this.counters.add(SECURE.truncated);
      return REJECT_WRONG_SIZE;
    }
    const nonceAt = hasAgentPid ? at + 1 : at;
    const to = i * PLAIN_WORDS;
    const gate = this.#gate;
    const ivLow = words[nonceAt + SEALED_IV_LOW]!;
    const ivHigh = words[nonceAt + SEALED_IV_HIGH]!;
    const sourceAt = nameWord < 0 ? NO_SOURCE : nameWord + i * arena.NAME_STRIDE;
    if (!gate.mayTry(words, sourceAt, ivLow, ivHigh, instantNs)) {
      this.counters.add(SECURE.untried);
      this.counters.add(SECURE.decryptFailures);
      return REJECT_DECRYPT;
    }
    const opener = isControl ? this.#controlOpener : this.#opener;
    if (this.#open(opener, words, nonceAt, hasAgentPid, to) === 0) {
      gate.failed();
      this.counters.add(SECURE.decryptFailures);
      return REJECT_DECRYPT;
    }
    // The observer reports what is wrong with it; a frame that is none leaves no trace in the
    // replay state.
    const { batch } = this;
    if (isControl && decodeControl(batch, to) !== CONTROL_OK) return VERDICT_CONTROL;
    if (!isControl && decodeFrame(batch.words, to) !== DECODE_OK) return VERDICT_PASS;
    const arrival = this.#arrival;
    arrival.ivLow = ivLow;
    arrival.ivHigh = ivHigh;
    arrival.counter = words[nonceAt + SEALED_IV_COUNTER]!;
    arrival.w = to;
    return this.#admit(arrival, isControl);
  }

  // Tries every key that the length of the datagram calls for, whichever opens it; the first that
  // does, wins.
  #open(
    opener: FrameOpener,
    words: Uint32Array,
    nonceAt: number,
    hasAgentPid: boolean,
    to: number,
  ): number {
    const plaintext = this.batch.words;
    const { shared } = this.#ring;
    const keyCount = shared.length;
    let opened = 0;
    plaintext.fill(0, to, to + opener.plainWords);
    for (let k = 0; k < keyCount; k++) {
      const matched = opener.tryShared(shared[k]!, words, nonceAt);
      opener.select(matched & ~opened, plaintext, to);
      opened |= matched;
      this.counters.add(SECURE.aeadAttempts);
    }
    if (hasAgentPid && this.#ring.hasMaster) {
      const matched = opener.tryMaster(this.#ring.agentKey(words[nonceAt - 1]!), words, nonceAt);
      opener.select(matched & ~opened, plaintext, to);
      opened |= matched;
      this.counters.add(SECURE.aeadAttempts);
    }
    return opened;
  }

  #admit(arrival: Arrival, isControl: boolean): number {
    const passes = isControl ? VERDICT_CONTROL : VERDICT_PASS;
    const senders = this.senders;
    const pid = arrival.words[arrival.w + WORD_PID]!;
    const known = senders.slotOf(pid);
    if (known >= 0) {
      const gapNs = this.#isBeating(pid) ? Number.POSITIVE_INFINITY : this.restartGapNs;
      const isNew = isControl
        ? advanceControlWindow(senders, known, arrival)
        : advanceWindow(senders, known, arrival, gapNs);
      if (isNew) {
        this.#gate.passed(known);
        return passes;
      }
      this.#gate.failed();
      this.counters.add(SECURE.replayRefused);
      return REJECT_REPLAY;
    }
    if (senders.isFull && arrival.instantNs !== this.#sweptNs) this.#sweep(arrival.instantNs);
    const slot = senders.insert(pid);
    if (slot < 0) {
      this.counters.add(SECURE.senderStateFull);
      return REJECT_SENDER_TABLE_FULL;
    }
    if (isControl) beginControlWindow(senders, slot, arrival);
    else beginWindow(senders, slot, arrival);
    this.#gate.passed(slot);
    return passes;
  }

  #sweep(instantNs: number): void {
    this.senders.sweep(instantNs);
    this.#sweptNs = instantNs;
  }
}
