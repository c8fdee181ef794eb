// The limit of open descriptors: what this process may open, and what its children inherit.
import { ptr } from "bun:ffi";
import { RLIMIT_NOFILE } from "./constants.ts";
import { resultOrErrno } from "./errno.ts";
import { RLIMIT } from "./layout.ts";
import { libc } from "./libc.ts";

export interface DescriptorLimit {
  /** What the kernel enforces. */
  readonly soft: bigint;
  /** What `soft` may be raised to. */
  readonly hard: bigint;
}

const buffer = new ArrayBuffer(RLIMIT.size);
const values = new BigUint64Array(buffer);
const address = ptr(buffer);
const SOFT = RLIMIT.rlim_cur / 8;
const HARD = RLIMIT.rlim_max / 8;

/** Undefined if the system does not say. */
export function descriptorLimit(): DescriptorLimit | undefined {
  if (libc.getrlimit(RLIMIT_NOFILE, address) < 0) return undefined;
  return { soft: values[SOFT]!, hard: values[HARD]! };
}

/** 0 or -errno. */
export function setDescriptorLimit({ soft, hard }: DescriptorLimit): number {
  values[SOFT] = soft;
  values[HARD] = hard;
  return resultOrErrno(libc.setrlimit(RLIMIT_NOFILE, address));
}
