// What /proc says of the daemon as a process: its capabilities and its limits. Anybody may read
// both files.
import { KernelFiles } from "../processes/kernel_files.ts";

const TEXT_BYTES_MAX = 65_536;

/** Bits of CapEff (capability.h). */
export const CAP_KILL = 5;

/** Undefined = it cannot be read. */
export function effectiveCapabilities(proc: string, pid: number): bigint | undefined {
  const status = new KernelFiles().text(`${proc}/${pid}/status`, TEXT_BYTES_MAX);
  const digits = /^CapEff:\s*([0-9a-f]{1,16})$/m.exec(status)?.[1];
  return digits === undefined ? undefined : BigInt(`0x${digits}`);
}

export function hasCapability(capabilities: bigint, bit: number): boolean {
  return (capabilities & (1n << BigInt(bit))) !== 0n;
}

/** The soft limit of open descriptors; NaN = it cannot be read. */
export function descriptorLimitOf(proc: string, pid: number): number {
  const limits = new KernelFiles().text(`${proc}/${pid}/limits`, TEXT_BYTES_MAX);
  const word = /^Max open files +(\d+|unlimited)/m.exec(limits)?.[1];
  if (word === undefined) return Number.NaN;
  return word === "unlimited" ? Number.POSITIVE_INFINITY : Number(word);
}
