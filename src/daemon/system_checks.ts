// What the daemon looks at on the machine before it starts, and what it says about it.
import { accessSync, constants, mkdirSync, readFileSync, statSync } from "node:fs";
import { IS_LINUX } from "../../ffi/constants.ts";
import { PlatformError } from "../../ffi/libc.ts";
import { PID_MAX_FALLBACK } from "../base/limits.ts";
import { U32_MAX } from "../base/u64.ts";
import type { RuntimeDirectory } from "../config/load_result.ts";

const QUEUE_LENGTH_FILE = "/proc/sys/net/unix/max_dgram_qlen";
const PID_MAX_FILE = "/proc/sys/kernel/pid_max";
/** A burst of 400 simultaneous beats got through a queue of 512; on the default of 10 half of 32 were lost. */
const QUEUE_LENGTH_WANTED = 512;

/** Throws `PlatformError` where /proc is not mounted: identities, and with them recovery, would be blind. */
export function requireProc(): void {
  if (!IS_LINUX) return;
  try {
    accessSync("/proc/self/stat", constants.R_OK);
  } catch {
    throw new PlatformError(
      "Cannot read /proc/self/stat: /proc is not mounted",
      "mount it (mount -t proc proc /proc); under systemd with RootDirectory= set MountAPIVFS=yes",
    );
  }
}

/** Largest pid of this kernel, 2^32-1 off Linux; the kernel's own limit if it cannot be read. `file` is for tests. */
export function readPidMax(file = PID_MAX_FILE): number {
  if (!IS_LINUX) return U32_MAX;
  try {
    const text = readFileSync(file, "latin1").slice(0, 16).trim();
    const value = /^[0-9]+$/.test(text) ? Number(text) : 0;
    return value >= 1 && value <= U32_MAX ? value : PID_MAX_FALLBACK;
  } catch {
    return PID_MAX_FALLBACK;
  }
}

/** The warning about a short datagram queue in this network namespace, or undefined. `file` is for tests. */
export function queueLengthWarning(file = QUEUE_LENGTH_FILE): string | undefined {
  if (!IS_LINUX) return undefined;
  try {
    const length = Number(readFileSync(file, "latin1").trim());
    if (!(length < QUEUE_LENGTH_WANTED)) return undefined;
    return (
      `net.unix.max_dgram_qlen is ${length}: a burst of more simultaneous beats makes senders drop; ` +
      `before the start run: sysctl -w net.unix.max_dgram_qlen=${QUEUE_LENGTH_WANTED}`
    );
  } catch {
    // Not readable in this sandbox: nothing to say.
    return undefined;
  }
}

/** Creates the directory of the default socket with its mode, if it is missing. */
export function makeRuntimeDirectory(directory: RuntimeDirectory): void {
  try {
    mkdirSync(directory.path, { mode: directory.mode });
  } catch (error) {
    if ((error as { code?: unknown }).code !== "EEXIST") throw error;
  }
}

/** True if our stderr is the journal stream that the service manager named. */
export function stderrIsJournal(journalStream: string | undefined): boolean {
  if (journalStream === undefined) return false;
  try {
    const status = statSync("/proc/self/fd/2", { bigint: true });
    return journalStream === `${status.dev}:${status.ino}`;
  } catch {
    return false;
  }
}
