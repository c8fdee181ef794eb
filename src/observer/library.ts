// The observer for programs that watch by themselves, without the daemon (spec 04 section 1): one call makes it with the
// clock and the processes of this machine. The program calls poll() as often as it likes; nothing here has a timer, a
// thread or a log. Silence is silence as poll() sees it, unless the program says with `pauseGapNs` how long it may be away.
import { nowGeneration } from "../processes/generation.ts";
import { ProcReader } from "../processes/proc_reader.ts";
import { allowListOf } from "../listener/allow_list.ts";
import type { Listener } from "../listener/listener.ts";
import { UnixListener } from "../listener/unix.ts";
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

/**
 * An observer that listens on the Unix socket `path`. Throws `RangeError` for a threshold below 10 ms, before anything is
 * bound, and `SocketPathError` or `SystemError` if the socket cannot be bound.
 */
export function bind(path: string, options: BindOptions): Observer {
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
export function fromListener(listener: Listener, options: LibraryOptions): Observer {
  const observer = systemObserver(options);
  observer.addListener(listener);
  return observer;
}

function systemObserver({ clockSource = "monotonic", ...options }: LibraryOptions): Observer {
  const processes = new ProcReader();
  return new Observer({
    ...options,
    clock: new ObserverClock(new SystemClock(clockSource)),
    processes,
    observerInode: processes.ownNamespaceInode(),
    readPidMax: () => readPidMax(),
  });
}
