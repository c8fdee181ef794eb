// The observer for programs that watch by themselves, without the daemon (spec 04 section 1): one
// call makes it with the clock and the processes of this machine. The program calls poll() as often
// as it likes; nothing here has a timer, a thread or a log. Silence is silence as poll() sees it,
// unless the program says with `pauseGapNs` how long it may be away.
import * as reason from "../base/reject_reason.ts";
import { SECURE, type SecureCounters } from "../listener/counters.ts";
import { nowGeneration } from "../processes/generation.ts";
import { ProcReader } from "../processes/proc_reader.ts";
import { allowListOf } from "../listener/allow_list.ts";
import type { Listener } from "../listener/listener.ts";
import { UnixListener } from "../listener/unix.ts";
import { TRACKER } from "../tracker/counters.ts";
import { CLOCK, type ClockSource, ObserverClock } from "./clock.ts";
import { Observer } from "./observer.ts";
import type { ObserverOptions } from "./observer_options.ts";
import { readPidMax } from "../processes/pid_max.ts";
import { SystemClock } from "./system_clock.ts";

export interface LibraryOptions
  extends Omit<ObserverOptions, "clock" | "processes" | "observerInode" | "readPidMax"> {
  /** Default "monotonic". */
  readonly clockSource?: ClockSource;
}

export interface BindOptions extends LibraryOptions {
  /** Permission bits of the socket file; default 0600. */
  readonly mode?: number;
  /** Group of the socket file; default: that of the process. */
  readonly gid?: number;
  /** Only these users may beat; default: all that the socket's mode lets in. */
  readonly allowUids?: readonly number[];
  readonly allowGids?: readonly number[];
  /** Senders may state the pid that they have in a container; default false. */
  readonly containers?: boolean;
  /** SO_RCVBUF to ask for; default: the kernel's own. */
  readonly rcvbufBytes?: number;
}

const SOCKET_MODE_DEFAULT = 0o600;

/**
 * An observer whose counters are read by draining: each call gives what was counted since the last
 * one.
 */
export class LibraryObserver extends Observer {
  /** By drain: the total at its last call. */
  readonly #drained = new Map<string, number>();

  drainEvictions(): number {
    return this.#since("drainEvictions", this.tracker.counters.get(TRACKER.evicted));
  }

  drainCapacityExceeded(): number {
    return this.#since(
      "drainCapacityExceeded",
      this.tracker.counters.get(TRACKER.capacityExceeded),
    );
  }

  drainNonceWraps(): number {
    return this.#since("drainNonceWraps", this.tracker.counters.get(TRACKER.nonceWrap));
  }

  drainEvictionScanTruncated(): number {
    return this.#since(
      "drainEvictionScanTruncated",
      this.tracker.counters.get(TRACKER.evictionScanTruncated),
    );
  }

  drainOriginConflicts(): number {
    return this.#since("drainOriginConflicts", this.tracker.counters.get(TRACKER.originConflicts));
  }

  drainNamespaceConflicts(): number {
    return this.#since(
      "drainNamespaceConflicts",
      this.tracker.counters.get(TRACKER.namespaceConflicts),
    );
  }

  drainNonceRestarts(): number {
    return this.#since("drainNonceRestarts", this.tracker.counters.get(TRACKER.nonceRestart));
  }

  drainOutOfOrder(): number {
    return this.#since("drainOutOfOrder", this.tracker.counters.get(TRACKER.outOfOrder));
  }

  drainPidRecycles(): number {
    return this.#since("drainPidRecycles", this.tracker.counters.get(TRACKER.pidRecycle));
  }

  drainInvariantViolations(): number {
    return this.#since(
      "drainInvariantViolations",
      this.tracker.counters.get(TRACKER.invariantViolations),
    );
  }

  drainUidShares(): number {
    return this.#since("drainUidShares", this.tracker.counters.get(TRACKER.uidShare));
  }

  drainRemovedPidDrops(): number {
    return this.#since("drainRemovedPidDrops", this.tracker.counters.get(TRACKER.removedPidDrops));
  }

  drainPidIndexProbeExhausted(): number {
    return this.#since("drainPidIndexProbeExhausted", this.tracker.table.index.probeExhausted);
  }

  drainCrossNamespaceDrops(): number {
    return this.#since(
      "drainCrossNamespaceDrops",
      this.accounting.rejectedFor(reason.REJECT_CROSS_NAMESPACE),
    );
  }

  drainPidAboveMaxDrops(): number {
    return this.#since(
      "drainPidAboveMaxDrops",
      this.accounting.rejectedFor(reason.REJECT_PID_ABOVE_MAX),
    );
  }

  drainPerPidRateLimited(): number {
    return this.#since(
      "drainPerPidRateLimited",
      this.accounting.rejectedFor(reason.REJECT_RATE_PER_PID),
    );
  }

  drainGlobalRateLimited(): number {
    return this.#since(
      "drainGlobalRateLimited",
      this.accounting.rejectedFor(reason.REJECT_RATE_GLOBAL),
    );
  }

  drainTruncated(): number {
    return this.#since("drainTruncated", this.accounting.rejectedFor(reason.REJECT_WRONG_SIZE));
  }

  drainDecryptFailures(): number {
    return this.#since("drainDecryptFailures", this.accounting.rejectedFor(reason.REJECT_DECRYPT));
  }

  drainReplayRefused(): number {
    return this.#since("drainReplayRefused", this.accounting.rejectedFor(reason.REJECT_REPLAY));
  }

  drainSenderStateFull(): number {
    return this.#since(
      "drainSenderStateFull",
      this.accounting.rejectedFor(reason.REJECT_SENDER_TABLE_FULL),
    );
  }

  /**
   * Socket directories that could not be synced at the bind: after a crash the socket file may be
   * missing.
   */
  drainBindDirFsyncFailures(): number {
    const failed = this.listeners.filter(({ directorySynced }) => directorySynced === false);
    return this.#since("drainBindDirFsyncFailures", failed.length);
  }

  /** Receive errors that dequeued nothing. */
  drainIoErrors(): number {
    return this.#since("drainIoErrors", this.ioErrors);
  }

  /** Decrypt trials of all listeners. */
  drainAeadAttempts(): number {
    return this.#since("drainAeadAttempts", this.#sumOf(SECURE.aeadAttempts));
  }

  /** Datagrams of all listeners that were refused without a trial of the keys. */
  drainUntried(): number {
    return this.#since("drainUntried", this.#sumOf(SECURE.untried));
  }

  /** Datagrams of listener `listenerNumber` that the kernel dropped because its buffer was full. */
  drainKernelDrops(listenerNumber: number): number {
    const drops = this.listeners[listenerNumber]!.kernelDrops ?? 0;
    return this.#since(`drainKernelDrops ${listenerNumber}`, drops);
  }

  /** Times that the queue of listener `listenerNumber` was found full. */
  drainQueueFull(listenerNumber: number): number {
    const full = this.listeners[listenerNumber]!.queueFull ?? 0;
    return this.#since(`drainQueueFull ${listenerNumber}`, full);
  }

  drainClockRegressions(): number {
    return this.#since("drainClockRegressions", this.clock.counters.get(CLOCK.regression));
  }

  drainClockJumpsForward(): number {
    return this.#since("drainClockJumpsForward", this.clock.counters.get(CLOCK.jumpForward));
  }

  #sumOf(cell: Parameters<SecureCounters["get"]>[0]): number {
    return this.listeners.reduce((sum, { counters }) => sum + (counters?.get(cell) ?? 0), 0);
  }

  #since(drain: string, total: number): number {
    const since = total - (this.#drained.get(drain) ?? 0);
    this.#drained.set(drain, total);
    return since;
  }
}

/**
 * An observer that listens on the Unix socket `path`. Throws `RangeError` for a threshold below 10
 * ms, before anything is bound, and `SocketPathError` or `SystemError` if the socket cannot be
 * bound.
 */
export function bind(path: string, options: BindOptions): LibraryObserver {
  const observer = systemObserver(options);
  const listener = new UnixListener({
    name: path,
    path,
    mode: options.mode ?? SOCKET_MODE_DEFAULT,
    gid: options.gid,
    rcvbufBytes: options.rcvbufBytes ?? 0,
    allowList: allowListOf(options.allowUids, options.allowGids),
    containers: options.containers ?? false,
    nowGeneration,
  });
  observer.addListener(listener);
  return observer;
}

/**
 * An observer over a listener that is bound already, and that it closes; more can be added. Throws
 * as `bind`.
 */
export function fromListener(listener: Listener, options: LibraryOptions): LibraryObserver {
  const observer = systemObserver(options);
  observer.addListener(listener);
  return observer;
}

function systemObserver({
  clockSource = "monotonic",
  ...options
}: LibraryOptions): LibraryObserver {
  const processes = new ProcReader();
  return new LibraryObserver({
    ...options,
    clock: new ObserverClock(new SystemClock(clockSource)),
    processes,
    observerInode: processes.ownNamespaceInode(),
    readPidMax: () => readPidMax(),
  });
}
