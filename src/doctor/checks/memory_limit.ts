// Whether the control group of the daemon leaves it the memory that it needs.
import { KernelFiles } from "../../processes/kernel_files.ts";
import { cgroupPath } from "../../processes/proc_text.ts";
import { check, leftOut, NEEDS_DAEMON } from "../check.ts";
import { dropIn } from "../words.ts";

const TEXT_BYTES_MAX = 65_536;
const MIB = 1_048_576;
/** Idle it takes 46 MiB, and a page of many agents some more. */
const SENSIBLE_BYTES = 128 * MIB;
/** Of the limit. */
const FULL_SHARE = 0.9;

export const MEMORY_LIMIT = check({
  name: "memory_limit",
  about: "`MemoryMax` and `MemoryHigh` of the daemon's control group against what it takes",
  gather: ({ daemon, proc, sys, unit }) => {
    if (daemon === undefined) return NEEDS_DAEMON;
    const files = new KernelFiles();
    const text = files.text(`${proc}/${daemon.pid}/cgroup`, TEXT_BYTES_MAX);
    const path = cgroupPath(text, "");
    if (path === undefined) return leftOut("control groups of the second version");
    const read = (name: string) => bytesIn(files.text(`${sys}/fs/cgroup${path}/${name}`, 64));
    const status = files.text(`${proc}/${daemon.pid}/status`, TEXT_BYTES_MAX);
    return {
      limit: Math.min(read("memory.max"), read("memory.high")),
      taken: 1_024 * Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0),
      unit: unit?.name ?? "varta-watch.service",
    };
  },
  decide: ({ limit, taken, unit }) =>
    limit >= SENSIBLE_BYTES && taken < limit * FULL_SHARE
      ? undefined
      : {
          severity: taken >= limit * FULL_SHARE ? "fault" : "warning",
          found: `The daemon may take ${mib(limit)} of memory and has ${mib(taken)}.`,
          effect: "At the limit the kernel slows it down or ends it, and nobody watches.",
          fix: dropIn(unit, "MemoryMax=512M", "MemoryHigh=infinity"),
        },
});

function bytesIn(text: string): number {
  return /^\d+\s*$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY;
}

function mib(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`;
}
