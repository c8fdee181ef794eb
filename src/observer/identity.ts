// When the identity of a kernel-attested sender is read from the system, and what is passed on when
// it is not (spec 05 section 5). The answer is written into the datagram.
//
// What is read is the process that has the pid now. The one that sent the beat may have ended while
// its beat waited, and a stranger may have its pid by now. The process is proven to be the sender
// if it had started before the beat was sent, for it has the pid still, or if the kernel says that
// the sender has it still; until then nothing may be done to it. What started and ended within one
// tick of the clock of start times cannot be told apart, so proof needs a later one. And a sender
// that rules a namespace may state the pid of a process of its own in a send that it delays until
// that has ended: the uid of the process must be the one that the kernel attests, which no process
// can state for another user.
import type { Datagram } from "../events/datagram.ts";
import type { ProcessReader } from "../processes/process_reader.ts";
import { saturatingSub } from "../base/saturating.ts";
import type { Listener } from "../listener/listener.ts";
import { NONCE_REFUSED, nonceAcceptance } from "../tracker/nonce_order.ts";
import { beginsAnew } from "../tracker/numbering.ts";
import type { Tracker } from "../tracker/tracker.ts";
import { NS_PER_S } from "../base/time.ts";

/** Spacing of identity look-ups of one slot. */
const IDENTITY_RETRY_NS = NS_PER_S;

export class IdentityResolver {
  readonly #processes: ProcessReader;
  readonly #tracker: Tracker;
  readonly #observerInode: number;

  constructor(processes: ProcessReader, tracker: Tracker, observerInode: number) {
    this.#processes = processes;
    this.#tracker = tracker;
    this.#observerInode = observerInode;
  }

  /**
   * Writes into a datagram of the last receive of `listener` who sent it, and whether the system
   * was asked.
   */
  resolve(datagram: Datagram, listener: Listener): void {
    const { slot, pid } = datagram;
    if (slot >= 0 && !this.#mustRead(datagram)) {
      const { slots } = this.#tracker;
      datagram.namespaceInode = slots.namespaceInode[slot]!;
      datagram.generation = slots.generation[slot]!;
      datagram.isProven = slots.isProven(slot);
      if (datagram.isProven || !this.#mayProve(datagram, listener)) return;
      datagram.identityWasRead = true;
      const startTime = this.#processes.startTime(pid);
      if (Number.isNaN(startTime)) return;
      if (startTime === datagram.generation) {
        datagram.isProven = this.#isSender(datagram, listener);
        return;
      }
      // Another process has the pid now, and it may be the one that sent this.
    }
    this.#read(datagram);
    datagram.isProven = this.#isSender(datagram, listener);
    if (slot >= 0) this.#keepReadability(datagram);
  }

  // Whether another look could prove the agent of the slot. One that failed is made once per batch,
  // whatever the agent sends.
  #mayProve({ slot, nowNs, batchRow }: Datagram, { batch }: Listener): boolean {
    const { generation, identityReadNs } = this.#tracker.slots;
    const { sentAfterGeneration, receivedGeneration, pidfd } = batch;
    const hasPidfd = pidfd[batchRow]! >= 0;
    const isOld = generation[slot]! < (hasPidfd ? receivedGeneration : sentAfterGeneration);
    return isOld && identityReadNs[slot] !== nowNs;
  }

  #mustRead(datagram: Datagram): boolean {
    const { slots } = this.#tracker;
    const { slot, nowNs } = datagram;
    const silenceNs = saturatingSub(nowNs, slots.lastNs[slot]!);
    if (silenceNs >= this.#tracker.thresholdOf(slot)) return true;
    const known =
      !Number.isNaN(slots.namespaceInode[slot]!) && !Number.isNaN(slots.generation[slot]!);
    // A nonce that does not advance is what a restart under the same pid looks like.
    const isNewer = datagram.isTerminal || nonceAcceptance(slots, datagram) !== NONCE_REFUSED;
    if (known && isNewer) return false;
    // The same process, or another one under its pid? Its beat is taken or refused by the answer.
    if (!isNewer && beginsAnew(slots, datagram)) return true;
    return saturatingSub(nowNs, slots.identityReadNs[slot]!) >= IDENTITY_RETRY_NS;
  }

  // Whether the process that has the pid now, and started at `generation` by a reading just made,
  // sent the datagram. The kernel, where it can say, is asked after the reading:
  // a process that has the pid still had it then.
  #isSender({ pid, generation, batchRow, peerUid }: Datagram, listener: Listener): boolean {
    const { sentAfterGeneration, receivedGeneration, pidfd } = listener.batch;
    const hasSent =
      pidfd[batchRow]! >= 0
        ? generation < receivedGeneration && listener.senderHasPid!(batchRow)
        : generation < sentAfterGeneration;
    return hasSent && this.#processes.realUid(pid) === peerUid;
  }

  // The start time before and after the namespace: if it changed, the pid was reused in between and
  // neither is true.
  #read(datagram: Datagram): void {
    const { pid } = datagram;
    const before = this.#processes.startTime(pid);
    const inode = this.#processes.namespaceInode(pid, this.#observerInode);
    const after = this.#processes.startTime(pid);
    const stable = before === after || (Number.isNaN(before) && Number.isNaN(after));
    datagram.generation = stable ? before : Number.NaN;
    datagram.namespaceInode = stable ? inode : Number.NaN;
    datagram.identityWasRead = true;
  }

  // The same foreign process may be readable at one time and hidden (0) at another: that is no
  // conflict.
  #keepReadability(datagram: Datagram): void {
    const { slots } = this.#tracker;
    const { slot, generation, namespaceInode: found } = datagram;
    const pinned = slots.namespaceInode[slot]!;
    const pinnedGeneration = slots.generation[slot]!;
    if (Number.isNaN(pinned) || pinned === this.#observerInode) return;
    const recycled =
      !Number.isNaN(generation) &&
      !Number.isNaN(pinnedGeneration) &&
      generation !== pinnedGeneration;
    if (recycled) return;
    if (found === 0) datagram.namespaceInode = pinned;
    else if (pinned === 0 && !Number.isNaN(found) && found !== this.#observerInode)
      datagram.namespaceInode = 0;
  }
}
