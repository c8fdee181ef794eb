// What the process of a silent member is doing, with the evidence (spec 14 section 3): a person who
// knows whether it hangs, is stopped or is held by a debugger knows what to do. Read when a stall
// is judged, from small files of the kernel; what cannot be read is left out.
import { FILE_GONE, KernelFiles } from "./kernel_files.ts";
import * as text from "./proc_text.ts";
import type { ProcReader } from "./proc_reader.ts";
import type { SpareDescriptors } from "./spare_descriptors.ts";
import {
  exitedVerdict,
  NOTHING_FOUND,
  type StallVerdict,
  unknownVerdict,
} from "../events/stall_verdict.ts";

// With addresses of 20 digits a line has at most 700 bytes.
const STAT_BYTES_MAX = 1_024;
const STATUS_BYTES_MAX = 4_096;
const CGROUP_BYTES_MAX = 4_096;
const WORD_BYTES_MAX = 256;

/** Where the unified hierarchy is mounted: alone, or beside those of version 1. */
const UNIFIED_ROOTS = ["", "/unified"];
const FREEZER_ROOT = "/freezer";

export class VerdictReader {
  readonly #proc: string;
  readonly #cgroups: string;
  readonly #files: KernelFiles;
  readonly #processes: Pick<ProcReader, "zombieStatus">;

  /** `proc` and `cgroups` are directories of the same shape in a test. */
  constructor(
    processes: Pick<ProcReader, "zombieStatus">,
    spares?: SpareDescriptors,
    proc = "/proc",
    cgroups = "/sys/fs/cgroup",
  ) {
    this.#processes = processes;
    this.#files = new KernelFiles(spares);
    this.#proc = proc;
    this.#cgroups = cgroups;
  }

  /** What the process that has `pid` and started at `generation` is doing. */
  of(pid: number, generation: number): StallVerdict {
    if (Number.isNaN(generation)) return unknownVerdict("its start time is not known");
    const length = this.#files.read(`${this.#proc}/${pid}/stat`, STAT_BYTES_MAX);
    if (length === FILE_GONE) return exitedVerdict(Number.NaN);
    if (length < 0) return unknownVerdict("its /proc cannot be read");
    const stat = this.#files.decoded(length);
    const startTime = text.parseStartTime(stat);
    if (Number.isNaN(startTime)) return unknownVerdict("its /proc cannot be read");
    if (startTime !== generation) return exitedVerdict(Number.NaN);
    const found = { ...NOTHING_FOUND, procState: text.parseState(stat) };
    if (text.isOver(stat)) {
      const waitStatus = this.#processes.zombieStatus(pid, generation);
      return { ...found, verdict: "zombie", waitStatus };
    }
    return this.#ofLiving(pid, { ...found, cpuTicks: text.parseCpuTicks(stat) });
  }

  #ofLiving(pid: number, found: Omit<StallVerdict, "verdict">): StallVerdict {
    const freezerVersion = this.#freezerOf(pid);
    if (freezerVersion !== 0) return { ...found, verdict: "frozen", freezerVersion };
    const status = this.#files.text(`${this.#proc}/${pid}/status`, STATUS_BYTES_MAX);
    const tracerPid = text.parseTracerPid(status);
    if (tracerPid !== 0 || found.procState === "t")
      return { ...found, verdict: "traced", tracerPid };
    if (found.procState === "T") return { ...found, verdict: "stopped" };
    const verdict = found.procState === "D" ? "blocked" : "hung";
    return { ...found, verdict, wchan: this.#wchanOf(pid) };
  }

  // Its own control group is enough: where an ancestor is frozen, its own file says so, too.
  #freezerOf(pid: number): StallVerdict["freezerVersion"] {
    const lines = this.#files.text(`${this.#proc}/${pid}/cgroup`, CGROUP_BYTES_MAX);
    const unified = text.cgroupPath(lines, "");
    if (unified !== undefined && this.#isFrozenIn(unified)) return 2;
    const freezer = text.cgroupPath(lines, "freezer");
    if (freezer === undefined) return 0;
    const state = this.#word(`${this.#cgroups}${FREEZER_ROOT}${freezer}/freezer.state`);
    return state === "FROZEN" || state === "FREEZING" ? 1 : 0;
  }

  #isFrozenIn(path: string): boolean {
    return UNIFIED_ROOTS.some((root) =>
      /^frozen 1$/m.test(
        this.#files.text(`${this.#cgroups}${root}${path}/cgroup.events`, WORD_BYTES_MAX),
      ),
    );
  }

  #wchanOf(pid: number): string {
    const wchan = this.#word(`${this.#proc}/${pid}/wchan`);
    return wchan !== "0" && /^[A-Za-z0-9_.]{1,64}$/.test(wchan) ? wchan : "";
  }

  #word(path: string): string {
    return this.#files.text(path, WORD_BYTES_MAX).trim();
  }
}
