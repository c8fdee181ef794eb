// Which start of the machine this is: pids and start times are of one such start, and a reader who
// keeps events of several must not mix them.
import { readFileSync } from "node:fs";

const PATH = "/proc/sys/kernel/random/boot_id";
const FORM = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** "" where the kernel does not say. */
export function machineBootId(path = PATH): string {
  try {
    const text = readFileSync(path, "latin1").trim();
    return FORM.test(text) ? text : "";
  } catch {
    return "";
  }
}
