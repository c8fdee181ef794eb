// What is counted of listeners: by listener what its socket says, and over all of them what the
// encrypted ones tried.
import { block, blockPer, type CountersOf, counter, gauge, unlisted } from "../base/counters.ts";

/** What a listener is asked for when a page is made. */
interface AskedListener {
  readonly kind: string;
  readonly rcvbufBytes?: number;
  readonly kernelDrops?: number;
  readonly queueFull?: number;
  readonly directorySynced?: boolean;
}

/** A sample of the other kind of socket is left out. */
const NOT_OF_ITS_KIND = Number.NaN;

export const SOCKET = blockPer(["listener"], {
  udsRcvbuf: gauge("varta_observer_uds_rcvbuf_bytes", "Granted SO_RCVBUF of a unix listener.", {
    ask: ({ kind, rcvbufBytes }: AskedListener) =>
      kind === "unix" ? (rcvbufBytes ?? 0) : NOT_OF_ITS_KIND,
  }),
  udpRcvbuf: gauge(
    "varta_udp_rcvbuf_bytes",
    "Granted SO_RCVBUF of a UDP listener; 0 is the kernel's own.",
    {
      ask: ({ kind, rcvbufBytes }: AskedListener) =>
        isUdp(kind) ? (rcvbufBytes ?? 0) : NOT_OF_ITS_KIND,
    },
  ),
  udpKernelDrops: counter(
    "varta_udp_kernel_drops_total",
    "Datagrams that the kernel dropped because the buffer of a UDP listener was full.",
    {
      ask: ({ kind, kernelDrops }: AskedListener) =>
        isUdp(kind) ? (kernelDrops ?? 0) : NOT_OF_ITS_KIND,
    },
  ),
  queueFull: counter(
    "varta_socket_queue_full_total",
    "Times that the queue of a unix listener was found full: senders were told to wait.",
    {
      ask: ({ kind, queueFull }: AskedListener) =>
        kind === "unix" || kind === "notify" ? (queueFull ?? 0) : NOT_OF_ITS_KIND,
    },
  ),
});

/** Of all listeners together. */
export const BIND = block({
  dirFsyncFailed: counter(
    "varta_socket_bind_dir_fsync_failed_total",
    "Failed fsyncs of a socket's parent directory at bind.",
    { ask: ({ directorySynced }: AskedListener) => (directorySynced === false ? 1 : 0) },
  ),
});

export const SECURE = block({
  aeadAttempts: counter("varta_secure_aead_attempts_total", "Decrypt trials."),
  untried: counter(
    "varta_secure_untried_total",
    "Of the datagrams that no key opened: those refused without a trial, because too many like them were forged.",
  ),
  // The page has these from the accounting table, by listener.
  decryptFailures: unlisted(),
  replayRefused: unlisted(),
  senderStateFull: unlisted(),
  truncated: unlisted(),
});

export type SecureCounters = CountersOf<typeof SECURE>;

function isUdp(kind: string): boolean {
  return kind === "udp" || kind === "secure-udp";
}
