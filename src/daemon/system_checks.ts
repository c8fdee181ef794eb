// What the daemon checks on the machine before it starts, and what it says about it.
import { fstatSync, mkdirSync, readlinkSync } from "node:fs";
import { IS_LINUX } from "../../ffi/constants.ts";
import { PlatformError } from "../../ffi/libc.ts";
import { umask } from "../../ffi/process.ts";
import type { RuntimeDirectory } from "../config/load_result.ts";
import { readQueueLength } from "../sockets/queue_length.ts";
import type { LogFields } from "./log.ts";

/**
 * A burst of 400 simultaneous beats got through a queue of 512; on the default of 10 half of 32
 * were lost.
 */
const QUEUE_LENGTH_WANTED = 512;

/**
 * Throws `PlatformError` where /proc is not mounted: identities, and with them recovery, would be
 * blind. Also where it belongs to another pid namespace: a pid there is of another process than the
 * same pid here.
 */
export function requireProc(root = "/proc", pid: number = process.pid): void {
  if (!IS_LINUX) return;
  const self = procSelf(root);
  if (self === undefined)
    throw new PlatformError(
      `cannot read ${root}/self: /proc is not mounted`,
      "mount it (mount -t proc proc /proc); under systemd with RootDirectory= set MountAPIVFS=yes",
    );
  if (self !== `${pid}`)
    throw new PlatformError(
      `cannot use ${root}: it shows another pid namespace, where this process is ${self} and not ${pid}`,
      "mount the proc of this namespace (unshare --mount-proc, or mount -t proc proc /proc)",
    );
}

function procSelf(root: string): string | undefined {
  try {
    return readlinkSync(`${root}/self`);
  } catch {
    return undefined;
  }
}

/**
 * The fields of the warning about a self-watchdog that the kernel keeps from ending the first
 * process of a namespace.
 */
export function initWatchdogWarning(
  pid: number,
  selfWatchdogNs: number | undefined,
): LogFields | undefined {
  if (pid !== 1 || selfWatchdogNs === undefined) return undefined;
  return {
    reason: "the kernel spares pid 1 the SIGALRM",
    hint: "run the daemon under an init: docker run --init",
  };
}

/**
 * The fields of the warning about a short datagram queue in this network namespace, or undefined.
 * `file` is for tests.
 */
export function queueLengthWarning(file?: string): LogFields | undefined {
  const length = readQueueLength(file);
  if (length === undefined || length >= QUEUE_LENGTH_WANTED) return undefined;
  return {
    holds: length,
    want: QUEUE_LENGTH_WANTED,
    effect: `beats are lost when more than ${length} come at once`,
    hint: `sysctl -w net.unix.max_dgram_qlen=${QUEUE_LENGTH_WANTED}, then restart the daemon`,
  };
}

/**
 * Creates the directory of the default socket with its mode, if it is missing. The umask, which may
 * be any, takes no bit of that mode: agents of other users must get in.
 */
export function makeRuntimeDirectory(directory: RuntimeDirectory): void {
  const before = umask(0);
  try {
    mkdirSync(directory.path, { mode: directory.mode });
  } catch (error) {
    if ((error as { code?: unknown }).code !== "EEXIST") throw error;
  } finally {
    umask(before);
  }
}

/** True if stderr is the journal stream that the service manager named. */
export function stderrIsJournal(journalStream: string | undefined): boolean {
  if (journalStream === undefined) return false;
  try {
    const status = fstatSync(2, { bigint: true });
    return journalStream === `${status.dev}:${status.ino}`;
  } catch {
    return false;
  }
}
