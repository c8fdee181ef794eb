// A bound socket that yields datagrams in batches (spec 05 section 2). The observer polls listeners
// in turn and never learns what kind they are; the simulator and the tests implement this interface
// with scripts.
import type { SocketAddress } from "../../ffi/socket.ts";
import type { AllowList } from "./allow_list.ts";
import type { SecureCounters } from "./counters.ts";
import type { KernelFilter } from "./kernel_filter.ts";
import type { ReceivedBatch } from "./received_batch.ts";
import type { StreamCounters } from "./stream_counters.ts";

export type ListenerKind = "unix" | "unix-stream" | "notify" | "udp" | "secure-udp";

export interface Listener {
  readonly kind: ListenerKind;
  /** Metrics label and log field. */
  readonly name: string;
  /** Descriptor for the loop's poll; -1 = none. It changes when the socket is bound again. */
  readonly fd: number;
  /** That of the socket before, as long as datagrams may come by it; -1 = there is none. */
  readonly formerFd?: number;
  /** Rows of the last receive, valid until the next one. */
  readonly batch: ReceivedBatch;
  /**
   * Datagrams that its socket holds over all senders together, or frames that each connection
   * holds; undefined = unknown, or counted in bytes.
   */
  readonly queueLength?: number | undefined;
  /** SO_RCVBUF as the kernel granted it; 0 = not set. */
  readonly rcvbufBytes?: number;
  /** False if the directory of its socket file could not be synced after the bind. */
  readonly directorySynced?: boolean;
  /**
   * Datagrams that the kernel dropped because the buffer was full, where a socket does that. Asks
   * the kernel.
   */
  readonly kernelDrops?: number;
  /** Times that its queue was found full, where a sender is then refused. */
  readonly queueFull?: number;
  /** Of a listener that decrypts. */
  readonly counters?: SecureCounters;
  /** Of a listener that has connections. */
  readonly streams?: StreamCounters;
  /** Keeps rubbish out of its queue, where the kernel can do that. */
  readonly filter?: KernelFilter;
  /** Senders that are accepted; undefined = all that the socket lets in. */
  readonly allowList: AllowList | undefined;
  /**
   * A sender that the kernel attests may state the pid that it has in its own namespace, as a
   * program in a container does.
   */
  readonly containers?: boolean;
  /**
   * Where a beat of the daemon to itself goes; undefined = only those who have a key can send.
   */
  readonly ownAddress?: SocketAddress | undefined;

  /**
   * Takes up to 64 datagrams without blocking and fills `batch`. Returns their number, 0 if there
   * are none, or -errno. `nowNs` is the observer time of the batch.
   */
  receive(nowNs: number): number;

  /**
   * Whether the process that sent datagram `i` of the last receive has its pid still, by the
   * kernel's own word; false = that is not known. Only of a listener that fills `pidfd`.
   */
  senderHasPid?(i: number): boolean;

  /** When `receive` has something to do although nothing comes; undefined = never. */
  readonly nextDueNs?: number;

  /**
   * Whether nothing more waits of the connection that sent frame `i` of the last receive. Only of a
   * listener that has connections.
   */
  wasLast?(i: number): boolean;

  /** A beat of the last receive does not prove its sender. */
  doubtSender?(): void;

  /** Gives back what the last receive holds beside its rows. Called when all are taken in. */
  release?(): void;

  /**
   * It is closed soon: who is connected can send no more, and what came is still to be received.
   * Only of a listener that has connections; what others hold waits in their sockets.
   */
  beginEnd?(): void;

  /** Releases the socket; idempotent; removes only its own socket file. */
  close(): void;
}
