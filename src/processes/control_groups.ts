// The processes of a control group, by the files of cgroups(7). Where the hierarchy of systemd is
// mounted differs: alone, or beside those of version 1.
import { KernelFiles } from "./kernel_files.ts";
import type { SpareDescriptors } from "./spare_descriptors.ts";

const CGROUP_ROOTS = ["/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"];
/** A service with more processes than fit has another kind of trouble. */
const PIDS_BYTES_MAX = 32_768;

export class ControlGroups {
  readonly #files: KernelFiles;

  constructor(spares?: SpareDescriptors) {
    this.#files = new KernelFiles(spares);
  }

  /** The pids in `cgroup` ("/system.slice/app.service"), some of them perhaps twice. */
  pidsIn(cgroup: string): number[] {
    return CGROUP_ROOTS.flatMap((root) => {
      const lines = this.#files.text(`${root}${cgroup}/cgroup.procs`, PIDS_BYTES_MAX).split("\n");
      return lines.filter((line) => line !== "").map(Number);
    });
  }
}
