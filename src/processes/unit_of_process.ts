// The systemd service that a process runs in, from the text of /proc/<pid>/cgroup. Only a system
// service that systemd itself put the process into has a name here: a session, a user's own
// services, a container's scope and a slice have none, because restarting them would restart what
// was not meant.

export interface AgentUnit {
  /** "app.service" */
  readonly name: string;
  /** Its control group, below the mount point: "/system.slice/app.service". */
  readonly cgroup: string;
}

/** The unit, or the words for why there is none. */
export function parseUnit(cgroupText: string): AgentUnit | string {
  const path = cgroupPath(cgroupText);
  if (path === undefined) return "its control group cannot be read";
  const parts = path.split("/").slice(1);
  if (parts.some((part) => part === "" || part === "." || part === "..")) {
    return `its control group ${path} is outside that of the daemon`;
  }
  const index = parts.findIndex((part) => !part.endsWith(".slice"));
  const name = parts[index];
  if (name === undefined) return `it runs in ${path}, which is no service`;
  if (parts[0] === "user.slice") return `it runs in ${path}, which belongs to a user`;
  if (!SERVICE_PATTERN.test(name)) return `it runs in ${path}, which is no service`;
  return { name, cgroup: `/${parts.slice(0, index + 1).join("/")}` };
}

/**
 * A name with "_" before it is escaped by systemd because it would be taken for something of the
 * kernel; such services do not occur, and are refused with everything else that is odd.
 */
const SERVICE_PATTERN = /^[A-Za-z0-9][A-Za-z0-9:_.\\@-]{0,246}\.service$/;

/**
 * The path in the hierarchy of systemd: the unified one, or the one named systemd where there are
 * several.
 */
function cgroupPath(text: string): string | undefined {
  let unified: string | undefined;
  for (const line of text.split("\n")) {
    const [, controllers, path] = /^[0-9]+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === "name=systemd") return path;
    if (controllers === "") unified = path;
  }
  return unified;
}
