// What the system says about this process, read only at the moment of a scrape
// (spec 08 section 3.7). Measured on Linux: about 0.1 ms together. NaN = the platform cannot say;
// such a sample is left out.
import { readdirSync, statSync } from "node:fs";
import { block, Counters, type CountersOf, counter, gauge } from "../base/counters.ts";
import { KernelFiles } from "./kernel_files.ts";

const FILE_BYTES_MAX = 4_096;
/**
 * Field of /proc/self/stat after the command name: vsize is the 23rd of proc_pid_stat(5), the name
 * the 2nd.
 */
const STAT_FIELD_VSIZE = 23 - 3;

export const OWN_PROCESS = block({
  cpu: counter("process_cpu_seconds_total", "User and system CPU time.", {
    decimals: 6,
    ask: cpuSeconds,
  }),
  residentBytes: gauge("process_resident_memory_bytes", "Resident memory size.", {
    ask: () => process.memoryUsage.rss(),
  }),
  virtualBytes: gauge("process_virtual_memory_bytes", "Virtual memory size.", {
    ask: virtualBytes,
  }),
  openFds: gauge("process_open_fds", "Open file descriptors.", { ask: openFds }),
  maxFds: gauge("process_max_fds", "Soft limit of open file descriptors.", { ask: maxFds }),
  startTime: gauge("process_start_time_seconds", "Unix time of the start of the process.", {
    decimals: 3,
    ask: () => performance.timeOrigin / 1000,
  }),
});

export function ownProcessCounters(): CountersOf<typeof OWN_PROCESS> {
  return new Counters(OWN_PROCESS, new KernelFiles());
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function virtualBytes(files: KernelFiles): number {
  const stat = files.text("/proc/self/stat", FILE_BYTES_MAX);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return numberOrNaN(fields[STAT_FIELD_VSIZE]);
}

/**
 * Since Linux 6.2 the size of the directory is the number of descriptors; before that it is 0 and
 * they are listed.
 */
function openFds(): number {
  try {
    const size = statSync("/proc/self/fd").size;
    // The listing itself has one descriptor open.
    return size > 0 ? size : readdirSync("/proc/self/fd").length - 1;
  } catch {
    return Number.NaN;
  }
}

function maxFds(files: KernelFiles): number {
  const limits = files.text("/proc/self/limits", FILE_BYTES_MAX);
  return numberOrNaN(/^Max open files +(\d+)/m.exec(limits)?.[1]);
}

function numberOrNaN(text: string | undefined): number {
  return text === undefined ? Number.NaN : Number(text);
}
