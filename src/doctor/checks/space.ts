// Whether there is room where the daemon writes.
import { shellWord } from "../../base/shell_word.ts";
import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { statePlace } from "../../config/state_place.ts";
import { check, NEEDS_CONFIG } from "../check.ts";

const MIB = 1_048_576;
/** Below it a log that is rotated by size, with its five older files, soon finds no room. */
const SENSIBLE_BYTES = 64 * MIB;
/** An audit log of some thousand recoveries. */
const NONE_BYTES = MIB;
const NAMES_SENSIBLE = 64;

export const SPACE = check({
  name: "space",
  about: "the room in the directories that the daemon writes to",
  gather: ({ config, unit }) => {
    if (config === undefined) return NEEDS_CONFIG;
    const { audit, export: events, liveness } = config;
    // That of a daemon which the service manager runs; else it is beside the socket.
    const managed = unit?.directories.find((path) => path.startsWith("/var/lib/"));
    const state = statePlace(config, { STATE_DIRECTORY: managed })?.path;
    const files = [audit.file, events.file, liveness.heartbeatFile, state];
    const directories = files.flatMap((file) => (file === undefined ? [] : [dirname(file)]));
    const rooms = [...new Set(directories)].flatMap((path) => roomOf(path) ?? []);
    return { least: rooms.sort((a, b) => a.bytes - b.bytes || a.names - b.names)[0] };
  },
  decide: ({ least }) => {
    if (least === undefined) return undefined;
    const { path, bytes, names } = least;
    if (bytes >= SENSIBLE_BYTES && names >= NAMES_SENSIBLE) return undefined;
    const what = bytes < SENSIBLE_BYTES ? `${Math.floor(bytes / MIB)} MiB` : `${names} names`;
    return {
      severity: bytes < NONE_BYTES || names < 1 ? "fault" : "warning",
      found: `${path} has room for ${what} only.`,
      effect: "Records that find no room are lost, and each is counted.",
      fix: { run: [`df -h ${shellWord(path)}`, `df -i ${shellWord(path)}`] },
    };
  },
});

interface Room {
  readonly path: string;
  readonly bytes: number;
  readonly names: number;
}

/** A directory that is not there is for the check of the configuration. */
function roomOf(path: string): Room | undefined {
  try {
    const { bsize, bavail, files, ffree } = statfsSync(path);
    // A file system that makes them as they are needed counts none.
    return { path, bytes: bsize * bavail, names: files === 0 ? Number.POSITIVE_INFINITY : ffree };
  } catch {
    return undefined;
  }
}
