// How many datagrams a Unix socket holds for its reader: net.unix.max_dgram_qlen of its network
// namespace, fixed when the socket is made.
import { IS_LINUX } from "../../ffi/constants.ts";
import { KernelFiles } from "../processes/kernel_files.ts";

const QUEUE_LENGTH_FILE = "/proc/sys/net/unix/max_dgram_qlen";
const TEXT_BYTES_MAX = 16;

/** The setting now; undefined where it cannot be read. `file` is for tests. */
export function readQueueLength(file = QUEUE_LENGTH_FILE): number | undefined {
  const text = IS_LINUX ? new KernelFiles().text(file, TEXT_BYTES_MAX).trim() : "";
  return /^[0-9]+$/.test(text) ? Number(text) : undefined;
}
