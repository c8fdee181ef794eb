// How busy the machine is, for who asks why many fell silent at once: three small files of the
// kernel, read when somebody asks. NaN = not known.
import { loadavg } from "node:os";
import { KernelFiles } from "./kernel_files.ts";

interface MachineLoad {
  /** Of the last minute. */
  readonly load: number;
  /** Share of the memory, 0 to 1. */
  readonly memoryUsed: number;
  /** Of the last ten seconds, in which something waited for processor, disk or memory. */
  readonly stallMs: number;
}

const FILE_BYTES_MAX = 4_096;
const PRESSURES = ["cpu", "io", "memory"];
/** The kernel says percent of ten seconds. */
const MS_PER_PERCENT = 100;

export function machineLoad(proc = "/proc"): MachineLoad {
  const files = new KernelFiles();
  const figure = (file: string, pattern: RegExp): number =>
    Number(pattern.exec(files.text(`${proc}/${file}`, FILE_BYTES_MAX))?.[1] ?? Number.NaN);
  const total = figure("meminfo", /^MemTotal: +(\d+)/m);
  const available = figure("meminfo", /^MemAvailable: +(\d+)/m);
  const stalls = PRESSURES.map((one) => figure(`pressure/${one}`, /^some avg10=([\d.]+)/m)).filter(
    (percent) => !Number.isNaN(percent),
  );
  return {
    load: loadavg()[0]!,
    memoryUsed: 1 - available / total,
    stallMs: stalls.length === 0 ? Number.NaN : Math.max(...stalls) * MS_PER_PERCENT,
  };
}
