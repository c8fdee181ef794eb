// The largest pid that the kernel gives out: a frame that claims a larger one is no process of this
// machine (spec 04 section 9).
import { IS_LINUX } from "../../ffi/constants.ts";
import { PID_MAX_FALLBACK } from "../base/limits.ts";
import { U32_MAX } from "../base/u64.ts";
import { KernelFiles } from "./kernel_files.ts";

const PID_MAX_FILE = "/proc/sys/kernel/pid_max";
const TEXT_BYTES_MAX = 16;

/**
 * Largest pid of this kernel, 2^32-1 off Linux; the kernel's own limit if it cannot be read. `file`
 * is for tests.
 */
export function readPidMax(file = PID_MAX_FILE): number {
  if (!IS_LINUX) return U32_MAX;
  const text = new KernelFiles().text(file, TEXT_BYTES_MAX).trim();
  const value = /^[0-9]+$/.test(text) ? Number(text) : 0;
  return value >= 1 && value <= U32_MAX ? value : PID_MAX_FALLBACK;
}
