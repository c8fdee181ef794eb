// Where systemd or a container runtime has put a process, from the text of /proc/<pid>/cgroup. Of
// the hierarchies only systemd's own counts: the unified one, or the one named systemd where there
// are several; a line of version 1 is another tree. In it the first unit from the root names the
// service: what is below belongs to the service, which may make folders of any name there. Below
// the manager of a user that is the user, whose units are told apart from those of the system.

interface Placement {
  /** "worker@3.service"; "" = none. */
  readonly unit: string;
  /** The uid in whose manager the unit or the container runs; NaN = in the system's. */
  readonly unitUid: number;
  /** "docker-ID", "machine-web"; "" = none. The id is never alone. */
  readonly container: string;
}

const NOWHERE: Placement = { unit: "", unitUid: Number.NaN, container: "" };

export function placementOf(cgroupText: string): Placement {
  const parts = cgroupPath(cgroupText)?.split("/").slice(1) ?? [];
  // A path that leaves the tree that is shown to us may be anybody's.
  if (parts.includes("..")) return NOWHERE;
  const [first, below] = firstUnit(parts);
  const manager = USER_MANAGER.exec(first);
  if (manager === null) return placementIn(first, below, Number.NaN);
  const [own, belowOwn] = firstUnit(below);
  return placementIn(own, belowOwn, Number(manager[1]));
}

/**
 * The path in the hierarchy of systemd. Where both are mounted, systemd keeps both alike, but the
 * unified one of a machine that does not use it says "/" of every process.
 */
export function cgroupPath(text: string): string | undefined {
  let unified: string | undefined;
  let named: string | undefined;
  for (const line of text.split("\n")) {
    const [, controllers, path] = /^[0-9]+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === "name=systemd") named = path;
    if (controllers === "") unified = path;
  }
  return unified === undefined || unified === "/" ? (named ?? unified) : unified;
}

/**
 * A name with "_" before it is escaped by systemd because it would be taken for something of the
 * kernel; such services do not occur, and are refused with everything else that is odd.
 */
export const SERVICE_PATTERN = /^[A-Za-z0-9][A-Za-z0-9:_.\\@-]{0,246}\.service$/;

const USER_MANAGER = /^user@([0-9]{1,10})\.service$/;
/** "docker-ID.scope", "slice:cri-containerd:ID", or the id alone, which is 32 to 64 hex digits. */
const CONTAINER_PATTERN = /^(?:(?:.*[:])?([a-z][a-z-]{0,30})[:-])?([0-9a-f]{32,64})(?:\.scope)?$/;
const MACHINE_PATTERN = /^(machine-[^/]{1,200})\.scope$/;
const LXC_PATTERN = /^lxc\.payload\.([^/]{1,200})$/;
const POD_PATTERN = /^(?:kubepods.*-)?pod[0-9a-f_-]{32,40}(?:\.slice)?$/;

function firstUnit(parts: readonly string[]): [first: string, below: readonly string[]] {
  const index = parts.findIndex((part) => !part.endsWith(".slice"));
  return index < 0 ? ["", []] : [parts[index]!, parts.slice(index + 1)];
}

function placementIn(first: string, below: readonly string[], unitUid: number): Placement {
  if (SERVICE_PATTERN.test(first)) return { unit: first, unitUid, container: "" };
  return { unit: "", unitUid, container: containerOf([first, ...below]) };
}

function containerOf(parts: readonly string[]): string {
  for (const [index, part] of parts.entries()) {
    const [, runtime, id] = CONTAINER_PATTERN.exec(part) ?? [];
    if (id !== undefined) return `${runtime ?? runtimeAbove(parts[index - 1])}-${id}`;
    const machine = MACHINE_PATTERN.exec(part)?.[1];
    if (machine !== undefined) return machine;
    const lxc = LXC_PATTERN.exec(part)?.[1];
    if (lxc !== undefined) return `lxc-${lxc}`;
  }
  return "";
}

/** Where a runtime makes its own tree, its name or the pod stands above the bare id. */
function runtimeAbove(part = ""): string {
  if (POD_PATTERN.test(part)) return "pod";
  return /^[a-z]{2,20}$/.test(part) ? part : "container";
}
