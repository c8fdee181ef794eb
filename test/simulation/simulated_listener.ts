// A listener whose socket is simulated. It fills the columns as the real listeners do (spec 05
// sections 3 and 6), and receiving takes simulated time.
import {
  ORIGIN_KERNEL_ATTESTED,
  ORIGIN_NETWORK_UNVERIFIED,
  ORIGIN_OPERATOR_ATTESTED,
  ORIGIN_SOCKET_MODE_ONLY,
} from "../../src/base/origin.ts";
import { BATCH_SIZE } from "../../src/base/limits.ts";
import type { GenerationClock } from "../../src/processes/generation.ts";
import {
  REJECT_CTRL_TRUNCATED,
  REJECT_NO_CREDENTIALS,
  REJECT_WRONG_SIZE,
} from "../../src/base/reject_reason.ts";
import { type AllowList, allowListOf } from "../../src/listener/allow_list.ts";
import type { KernelFilter } from "../../src/listener/kernel_filter.ts";
import type { Listener } from "../../src/listener/listener.ts";
import { QueueFill } from "../../src/listener/queue_fill.ts";
import { ReceivedBatch, VERDICT_CONTROL, VERDICT_PASS } from "../../src/listener/received_batch.ts";
import { isRubbish } from "./frames.ts";
import type { Datagram, Link } from "./network.ts";
import type { SimulatedClock } from "./simulated_clock.ts";

const STRIDE_WORDS = 16;
const FRAME_BYTES = 32;
const CONTROL_BYTES = 64;

/** The filter of a simulated socket: the world asks the link before it sends. */
class SimulatedFilter implements KernelFilter {
  isCounting = false;
  readonly #link: Link;
  #counted = 0;
  #dropped = 0;

  constructor(link: Link) {
    this.#link = link;
  }

  count(taken: readonly Datagram[]): void {
    if (!this.isCounting) return;
    const { containers } = this.#link.options;
    const rubbish = taken.filter((datagram) => isRubbish(datagram.bytes, containers)).length;
    this.#counted += rubbish;
    this.#dropped += rubbish * Math.max(0, this.#link.filterSample - 1);
  }

  takeCounted(): number {
    const counted = this.#counted;
    this.#counted = 0;
    return counted;
  }

  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  attach(sample: number): number {
    this.#link.filterSample = sample;
    return 0;
  }

  renew(): void {}

  detach(): void {
    this.#link.filterSample = 0;
  }
}

export class SimulatedListener implements Listener {
  readonly kind: "unix" | "udp";
  readonly name: string;
  readonly fd = -1;
  readonly batch = new ReceivedBatch(new Uint32Array(BATCH_SIZE * STRIDE_WORDS));
  readonly allowList: AllowList | undefined;
  readonly containers: boolean;
  readonly filter: SimulatedFilter;
  readonly #link: Link;
  readonly #clock: SimulatedClock;
  readonly #bytes: Uint8Array;
  readonly #nowGeneration: GenerationClock;
  readonly #queueFill: QueueFill;
  #emptyGeneration: number;
  #taken: readonly Datagram[] = [];

  constructor(link: Link, clock: SimulatedClock, nowGeneration: GenerationClock) {
    this.kind = link.options.kind;
    this.name = link.options.name;
    this.allowList = allowListOf(link.options.allowUids, undefined);
    this.containers = link.options.containers;
    this.filter = new SimulatedFilter(link);
    this.#link = link;
    this.#clock = clock;
    this.#queueFill = new QueueFill(link.options.queueLength);
    this.#nowGeneration = nowGeneration;
    this.#emptyGeneration = nowGeneration();
    this.#bytes = new Uint8Array(this.batch.words.buffer);
    for (let i = 0; i < BATCH_SIZE; i++) this.batch.frameWord[i] = i * STRIDE_WORDS;
  }

  receive(_nowNs: number): number {
    const generation = this.#nowGeneration();
    this.batch.sentAfterGeneration = this.#emptyGeneration;
    this.batch.receivedGeneration = generation;
    const taken = this.#link.daemonEnd.take();
    const isEmpty = typeof taken !== "number" && taken.length < BATCH_SIZE;
    if (isEmpty) this.#emptyGeneration = generation;
    const count = typeof taken === "number" ? taken : taken.length;
    this.#clock.afterReceive(Math.max(0, count));
    this.batch.foundFull = this.#queueFill.took(Math.max(0, count));
    if (typeof taken !== "number") this.filter.count(taken);
    this.#taken = typeof taken === "number" ? [] : taken;
    for (const [i, one] of this.#taken.entries()) this.#fill(i, one);
    return count;
  }

  senderHasPid(i: number): boolean {
    const datagram = this.#taken[i]!;
    return datagram.sender !== undefined && this.#link.canSend(datagram);
  }

  close(): void {}

  #fill(i: number, datagram: Datagram): void {
    const { batch } = this;
    const at = i * STRIDE_WORDS * 4;
    this.#bytes.set(datagram.bytes.subarray(0, CONTROL_BYTES), at);
    batch.verdict[i] = this.#verdict(datagram);
    batch.peerPid[i] = 0;
    batch.pidfd[i] = -1;
    if (this.kind === "udp") {
      const { acceptRecovery } = this.#link.options;
      batch.origin[i] = acceptRecovery ? ORIGIN_OPERATOR_ATTESTED : ORIGIN_NETWORK_UNVERIFIED;
      return;
    }
    const { credentials } = datagram;
    batch.origin[i] = ORIGIN_SOCKET_MODE_ONLY;
    if (credentials === undefined) return;
    if (credentials.pid !== 0) batch.origin[i] = ORIGIN_KERNEL_ATTESTED;
    if (this.#link.options.kernelVouches) batch.pidfd[i] = i;
    batch.peerPid[i] = credentials.pid;
    batch.peerUid[i] = credentials.uid;
    batch.peerGid[i] = credentials.gid;
  }

  #verdict(datagram: Datagram): number {
    const isUnix = this.kind === "unix";
    if (isUnix && datagram.controlTruncated) return REJECT_CTRL_TRUNCATED;
    const { length } = datagram.bytes;
    if (length !== FRAME_BYTES && length !== CONTROL_BYTES) return REJECT_WRONG_SIZE;
    if (isUnix && datagram.credentials === undefined) return REJECT_NO_CREDENTIALS;
    return length === CONTROL_BYTES ? VERDICT_CONTROL : VERDICT_PASS;
  }
}
