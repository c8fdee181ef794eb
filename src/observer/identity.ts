// When the identity of a kernel-attested sender is read from the system, and what is passed on when it is not (spec 05
// section 5). The result stands in fields, so that a look-up allocates nothing of ours.
//
// What is read is the process that has the pid now. The one that sent the beat may have ended while its beat waited, and a
// stranger may have its pid by now. The process is proven to be the sender if it had started before the beat was sent, for
// it has the pid still, or if the kernel says that the sender has it still; until then nothing may be done to it. What
// started and ended within one tick of the clock of start times cannot be told apart, so proof needs a later one. And a
// sender that rules a namespace may state the pid of a process of its own in a send that it delays until that has ended:
// the uid of the process must be the one that the kernel attests, which nobody can state for another user.
import { IDENTITY_RETRY_NS } from "../base/limits.ts";
import type { ProcessReader } from "../processes/process_reader.ts";
import { saturatingSub } from "../base/saturating.ts";
import type { Listener } from "../listener/listener.ts";
import { NONCE_REFUSED, nonceOrder } from "../tracker/nonce_order.ts";
import { beginsAnew, VOUCHED_BY_KERNEL } from "../tracker/numbering.ts";
import { SLOT_HAS_REGULAR_NONCE, type Slots } from "../tracker/slots.ts";
import type { Tracker } from "../tracker/tracker.ts";
import { frameIsTerminal, WORD_NONCE_HI, WORD_NONCE_LO } from "../wire/frame.ts";

export class IdentityResolver {
  /** Result of the last resolve(); NaN = unknown. */
  namespaceInode = Number.NaN;
  generation = Number.NaN;
  /** True if the process of `generation` sent the frame itself. */
  proven = false;
  /** True if the last resolve() asked the system. */
  wasRead = false;
  readonly #processes: ProcessReader;
  readonly #tracker: Tracker;
  readonly #observerInode: number;

  constructor(processes: ProcessReader, tracker: Tracker, observerInode: number) {
    this.#processes = processes;
    this.#tracker = tracker;
    this.#observerInode = observerInode;
  }

  /**
   * Resolves the identity of the frame at word `w`, which is datagram `i` of the last receive of `listener` and whose pid
   * is in `slot` (-1 = untracked).
   */
  resolve(
    words: Uint32Array,
    w: number,
    pid: number,
    slot: number,
    nowNs: number,
    thresholdNs: number,
    listener: Listener,
    i: number,
  ): void {
    if (slot >= 0 && !this.#mustRead(words, w, slot, nowNs, thresholdNs)) {
      const { slots } = this.#tracker;
      this.namespaceInode = slots.namespaceInode[slot]!;
      this.generation = slots.generation[slot]!;
      this.proven = slots.isProven(slot);
      this.wasRead = false;
      if (this.proven || !this.#mayProve(slot, nowNs, listener, i)) return;
      this.wasRead = true;
      const startTime = this.#processes.startTime(pid);
      if (Number.isNaN(startTime)) return;
      if (startTime === this.generation) {
        this.proven = this.#isSender(pid, startTime, listener, i);
        return;
      }
      // Another process has the pid now, and it may be the one that sent this.
    }
    this.#read(pid);
    this.wasRead = true;
    this.proven = this.#isSender(pid, this.generation, listener, i);
    if (slot >= 0) this.#keepReadability(slot);
  }

  // Whether another look could prove the agent of `slot`. One that failed is made once per batch, whatever the agent sends.
  #mayProve(slot: number, nowNs: number, { batch }: Listener, i: number): boolean {
    const { generation, identityReadNs } = this.#tracker.slots;
    const { sentAfterGeneration, receivedGeneration, pidfd } = batch;
    const isOld = generation[slot]! < (pidfd[i]! >= 0 ? receivedGeneration : sentAfterGeneration);
    return isOld && identityReadNs[slot] !== nowNs;
  }

  #mustRead(
    words: Uint32Array,
    w: number,
    slot: number,
    nowNs: number,
    thresholdNs: number,
  ): boolean {
    const { slots } = this.#tracker;
    if (saturatingSub(nowNs, slots.lastNs[slot]!) >= thresholdNs) return true;
    const known =
      !Number.isNaN(slots.namespaceInode[slot]!) && !Number.isNaN(slots.generation[slot]!);
    // A nonce that does not advance is what a restart under the same pid looks like.
    const isNewer = advances(slots, slot, words, w);
    if (known && isNewer) return false;
    // The same process, or another one under its pid? Its beat is taken or refused by the answer.
    if (!isNewer && beginsAnew(slots, slot, words, w, VOUCHED_BY_KERNEL)) return true;
    return saturatingSub(nowNs, slots.identityReadNs[slot]!) >= IDENTITY_RETRY_NS;
  }

  // Whether the process that has `pid` now, and started at `generation` by a reading just made, sent datagram `i`. The word
  // of the kernel, where there is one, is asked behind the reading: whoever has the pid still had it then.
  #isSender(pid: number, generation: number, listener: Listener, i: number): boolean {
    const { sentAfterGeneration, receivedGeneration, pidfd, peerUid } = listener.batch;
    const hasSent =
      pidfd[i]! >= 0
        ? generation < receivedGeneration && listener.senderHasPid!(i)
        : generation < sentAfterGeneration;
    return hasSent && this.#processes.realUid(pid) === peerUid[i];
  }

  // The start time before and after the namespace: if it changed, the pid was reused in between and neither is true.
  #read(pid: number): void {
    const before = this.#processes.startTime(pid);
    const inode = this.#processes.namespaceInode(pid, this.#observerInode);
    const after = this.#processes.startTime(pid);
    const stable = before === after || (Number.isNaN(before) && Number.isNaN(after));
    this.generation = stable ? before : Number.NaN;
    this.namespaceInode = stable ? inode : Number.NaN;
  }

  // The same foreign process may be readable at one time and hidden (0) at another: that is no conflict.
  #keepReadability(slot: number): void {
    const { slots } = this.#tracker;
    const pinned = slots.namespaceInode[slot]!;
    const pinnedGeneration = slots.generation[slot]!;
    if (Number.isNaN(pinned) || pinned === this.#observerInode) return;
    const recycled =
      !Number.isNaN(this.generation) &&
      !Number.isNaN(pinnedGeneration) &&
      this.generation !== pinnedGeneration;
    if (recycled) return;
    const found = this.namespaceInode;
    if (found === 0) this.namespaceInode = pinned;
    else if (pinned === 0 && !Number.isNaN(found) && found !== this.#observerInode)
      this.namespaceInode = 0;
  }
}

function advances(slots: Slots, slot: number, words: Uint32Array, w: number): boolean {
  if (frameIsTerminal(words, w)) return true;
  if ((slots.flags[slot]! & SLOT_HAS_REGULAR_NONCE) === 0) return true;
  const hi = words[w + WORD_NONCE_HI]!;
  const lo = words[w + WORD_NONCE_LO]!;
  const order = nonceOrder(slots.lastNonceHi[slot]!, slots.lastNonceLo[slot]!, hi, lo);
  return order !== NONCE_REFUSED;
}
