// Finds the descriptor on which the runtime's own event loop waits. An epoll descriptor can itself
// be polled, so one poll(2) waits for beats and for the runtime's events (HTTP, child exits, file
// completions, signals) at once.
import { stat } from "node:fs/promises";
import { POLLIN } from "../../ffi/constants.ts";
import { PollSet } from "../../ffi/poll.ts";
import { ProcReader } from "../processes/proc_reader.ts";

/**
 * A file status through the thread pool takes well under a millisecond; a busy machine gets this
 * long.
 */
const SELF_TEST_MS_MAX = 500;

/**
 * The descriptor of the runtime's event loop, or -1 if none is found or none becomes readable when
 * an event of the runtime is due: the caller then falls back to short waits.
 */
export function findRuntimeEvents(): number {
  const candidates = eventpollDescriptors();
  if (candidates.length === 0) return -1;
  // The self-test: work is handed to the thread pool, and its completion must make the descriptor
  // readable.
  stat("/").catch(() => {});
  const set = new PollSet(candidates.length);
  for (const fd of candidates) set.add(fd, POLLIN);
  set.wait(SELF_TEST_MS_MAX);
  return candidates.find((_, index) => (set.revents(index) & POLLIN) !== 0) ?? -1;
}

function eventpollDescriptors(): number[] {
  return new ProcReader()
    .descriptors(process.pid)
    .filter(({ link }) => link === "anon_inode:[eventpoll]")
    .map(({ fd }) => fd)
    .sort((a, b) => a - b);
}
