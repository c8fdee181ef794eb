// Whether /proc hides the processes of other users from the daemon. Their agents are still watched,
// but which process has a pid cannot be known, so nothing is ever done about them: that has to be
// said before the first stall.
import { IS_LINUX } from "../../ffi/constants.ts";
import { KernelFiles } from "./kernel_files.ts";

/** The mounts of a machine with thousands of containers, or all groups that a process may have. */
const TEXT_BYTES_MAX = 1024 * 1024;
const CAP_SYS_PTRACE = 1n << 19n;
/** The values of the mount option that hide nothing. */
const HIDES_NOTHING: readonly string[] = ["0", "off"];

interface HiddenProcesses {
  readonly reason: string;
  readonly effect: string;
  readonly hint: string;
}

/**
 * The fields of the warning, or undefined if all processes are shown. `root` is /proc, or a
 * directory of the same shape in a test; `process` is who looks, this process or another one.
 */
export function hiddenProcessesWarning(
  root = "/proc",
  process = "self",
): HiddenProcesses | undefined {
  if (!IS_LINUX) return undefined;
  const files = new KernelFiles();
  const mountinfo = files.text(`${root}/${process}/mountinfo`, TEXT_BYTES_MAX);
  const { hidepid = "0", gid = "0" } = mountOptions(mountinfo);
  const status = files.text(`${root}/${process}/status`, TEXT_BYTES_MAX);
  if (!HIDES_NOTHING.includes(hidepid) && !isExempt(status, gid, hidepid))
    return hiddenBecause(`hidepid=${hidepid}`);
  // What we may read says nothing about another process.
  if (process === "self" && files.text(`${root}/1/stat`, 1) === "")
    return hiddenBecause("/proc/1/stat cannot be read");
  return undefined;
}

function hiddenBecause(cause: string): HiddenProcesses {
  return {
    reason: `/proc hides the processes of other users (${cause})`,
    effect: "their agents are watched but not recovered",
    hint:
      "grant CAP_SYS_PTRACE, set ProtectProc=default in the unit, or mount /proc with gid= of a " +
      "group of the daemon",
  };
}

/** Options of the file system that is mounted on /proc last, and so is the one that is seen. */
function mountOptions(mountinfo: string): { readonly hidepid?: string; readonly gid?: string } {
  let options = "";
  for (const line of mountinfo.split("\n")) {
    const [mount, fileSystem] = line.split(" - ");
    if (mount?.split(" ")[4] === "/proc") options = fileSystem?.split(" ").at(-1) ?? "";
  }
  return Object.fromEntries(options.split(",").map((option) => option.split("=")));
}

/**
 * The kernel shows everything to a process that may trace all others, and to the members of the
 * group of the mount.
 */
function isExempt(status: string, gid: string, hidepid: string): boolean {
  const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1] ?? "";
  const capabilities = /^[0-9a-f]+$/.test(field("CapEff")) ? BigInt(`0x${field("CapEff")}`) : 0n;
  if ((capabilities & CAP_SYS_PTRACE) !== 0n) return true;
  if (PTRACEABLE.includes(hidepid)) return false;
  const groups = [field("Gid").split("\t").at(-1), ...field("Groups").split(" ")];
  return groups.includes(gid);
}

/** Values with which no group is exempt. */
const PTRACEABLE: readonly string[] = ["4", "ptraceable"];
