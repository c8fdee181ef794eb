// Whether senders find the sockets: a daemon may hold a socket whose file somebody has removed, as
// the restart of a socket unit does.
import { shellWord } from "../../base/shell_word.ts";
import { lstatSync } from "node:fs";
import { AF_UNIX, ECONNREFUSED, SOCK_DGRAM, SOCK_STREAM } from "../../../ffi/constants.ts";
import { close, connect, openSocket, unixAddress } from "../../../ffi/socket.ts";
import { check, NEEDS_CONFIG, NEEDS_DAEMON } from "../check.ts";
import { counted, someOf } from "../words.ts";
import { isInPrivateTmp } from "./sandbox.ts";

export const SOCKET_PATH = check({
  name: "socket_path",
  about: "the files of the Unix listeners against a daemon that runs",
  gather: ({ config, daemon, unit }) => {
    if (config === undefined) return NEEDS_CONFIG;
    if (daemon === undefined) return NEEDS_DAEMON;
    const doors = config.listeners.filter((one) => "path" in one);
    // One that the sandbox has elsewhere is said by the check of that.
    const seen = doors.filter(({ path }) => unit === undefined || !isInPrivateTmp(unit, path));
    const lost = seen.filter(isLost).map(({ path }) => path);
    return { lost, unit: unit?.name ?? "varta-watch" };
  },
  decide: ({ lost, unit }) =>
    lost.length === 0
      ? undefined
      : {
          severity: "fault",
          found: `${counted(lost.length, "socket")} of the daemon cannot be reached: ${someOf(lost)}.`,
          effect: "The file is gone or belongs to nobody: beats that are sent by this path fail.",
          fix: { run: [`systemctl restart ${shellWord(unit)}`] },
        },
});

/** Who may not look is not told that it is lost. */
function isLost({ kind, path }: { readonly kind: string; readonly path: string }): boolean {
  try {
    if (!lstatSync(path).isSocket()) return true;
  } catch (error) {
    return (error as { code?: unknown }).code === "ENOENT";
  }
  const fd = openSocket(AF_UNIX, kind === "unix-stream" ? SOCK_STREAM : SOCK_DGRAM);
  if (fd < 0) return false;
  // Nothing is sent.
  const result = connect(fd, unixAddress(path));
  close(fd);
  return result === -ECONNREFUSED;
}
