// The systemd service that a process runs in, from the text of /proc/<pid>/cgroup. Only a system
// service that systemd itself put the process into has a name here: a session, a user's own
// services, a container's scope and a slice have none, because restarting them would restart what
// was not meant.
import { cgroupPath, SERVICE_PATTERN } from "./unit_placement.ts";

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
