// Whether a socket that was handed over is as the configuration wants it (spec 05 section 9): pure
// comparisons with the file that is at its path now.
import { lstatSync } from "node:fs";
import { SO_PASSCRED } from "../../ffi/constants.ts";
import { effectiveUid } from "../../ffi/process.ts";
import { getSocketOption } from "../../ffi/socket.ts";
import { groupOfNew, type SocketFile } from "./socket_path.ts";
import type { SocketRole, StoredName } from "./stored_name.ts";

/** The socket file at a path. */
export interface FileAt {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

interface Fit {
  readonly wanted: SocketFile & { readonly role: SocketRole };
  readonly file: FileAt;
  readonly queueLength: number | undefined;
}

/** Undefined = there is no socket, or it cannot be seen. */
export function fileAt(path: string): FileAt | undefined {
  try {
    const stats = lstatSync(path, { bigint: true });
    if (!stats.isSocket()) return undefined;
    const { dev, ino } = stats;
    const mode = Number(stats.mode & 0o777n);
    return { dev, ino, mode, uid: Number(stats.uid), gid: Number(stats.gid) };
  } catch {
    return undefined;
  }
}

/** Why a stored socket is not taken; "" = it fits. Its file is the one at the path. */
export function misfitOf(stored: StoredName, { wanted, file, queueLength }: Fit): string {
  const mode = wanted.mode & 0o777;
  if (stored.mode !== mode)
    return `it was made with mode ${octal(stored.mode)}, want ${octal(mode)}`;
  if (file.mode !== mode) return `its file has mode ${octal(file.mode)}, want ${octal(mode)}`;
  const gid = wanted.gid ?? groupOfNew(wanted.path);
  if (file.gid !== gid) return `its file has group ${file.gid}, want ${gid}`;
  const uid = effectiveUid();
  if (file.uid !== uid) return `its file belongs to uid ${file.uid}, want ${uid}`;
  // A stream socket queues connections, by what it is told when it listens.
  if (wanted.role !== "beat" || queueLength === undefined) return "";
  if (stored.queueLength === queueLength) return "";
  return `its queue has length ${stored.queueLength}, net.unix.max_dgram_qlen is ${queueLength}`;
}

/** What is different of a socket that a socket unit made, in its own words. */
export function unitDifferences(wanted: Fit["wanted"], file: FileAt, fd: number): string[] {
  const mode = wanted.mode & 0o777;
  const differences: string[] = [];
  if (file.mode !== mode)
    differences.push(`SocketMode=${octal(file.mode)}, mode is ${octal(mode)}`);
  if (wanted.gid !== undefined && file.gid !== wanted.gid)
    differences.push(`its group is ${file.gid}, group is ${wanted.gid}`);
  if (wanted.role !== "control" && getSocketOption(fd, SO_PASSCRED) === 0)
    differences.push("PassCredentials=no: who sent what waits in it is unknown");
  return differences;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}
