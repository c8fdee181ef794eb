// Whether the kernel takes its wall clock for synchronized (adjtimex(2)). Nothing is adjusted: a
// mode of 0 only asks, and needs no right.
import { ptr } from "bun:ffi";
import { IS_LINUX } from "./constants.ts";
import { libcLinux } from "./libc.ts";

/** Of struct timex on 64-bit Linux; `modes` is its first word. */
const TIMEX_BYTES = 208;
const TIME_ERROR = 5;

const buffer = new ArrayBuffer(TIMEX_BYTES);

/** Undefined = the system does not say. */
export function clockIsSynchronized(): boolean | undefined {
  if (!IS_LINUX || libcLinux === null) return undefined;
  new Uint8Array(buffer).fill(0);
  const state = libcLinux.adjtimex(ptr(buffer));
  return state < 0 ? undefined : state !== TIME_ERROR;
}
