// The observer for programs that watch by themselves, without the daemon (spec 04 section 1): one call makes it with the
// clock and the processes of this machine. The program calls poll() as often as it likes; nothing here has a timer, a
// thread or a log. Silence is silence as poll() sees it, unless the program says with `pauseGapNs` how long it may be away.
import { nowGeneration } from "../processes/generation.ts";
import { ProcReader } from "../processes/proc_reader.ts";
import { allowListOf } from "../listener/allow_list.ts";
import type { Listener } from "../listener/listener.ts";
import { UnixListener } from "../listener/unix.ts";
import { TRACKER } from "../tracker/counters.ts";
import { type ClockSource, ObserverClock } from "./clock.ts";
import { Observer, type ObserverOptions } from "./observer.ts";
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
  /** SO_RCVBUF to ask for; default: the kernel's own. */
  readonly rcvbufBytes?: number;
}

const SOCKET_MODE_DEFAULT = 0o600;

/** An observer whose counters are read by draining: each call gives what was counted since the last one. */
export class LibraryObserver extends Observer {
  /** By drain: the total that was told last. */
  readonly #told = new Map<string, number>();

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

  #since(drain: string, total: number): number {
    const since = total - (this.#told.get(drain) ?? 0);
    this.#told.set(drain, total);
    return since;
  }
}

/**
 * An observer that listens on the Unix socket `path`. Throws `RangeError` for a threshold below 10 ms, before anything is
 * bound, and `SocketPathError` or `SystemError` if the socket cannot be bound.
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
    nowGeneration,
  });
  observer.addListener(listener);
  return observer;
}

/** An observer over a listener that is bound already, and that it closes; more can be added. Throws as `bind`. */
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
