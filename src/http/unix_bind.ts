// Binds the metrics page to a unix socket path without ever serving on a path with the wrong mode, and without the
// runtime removing a path that is no longer ours (spec 13 section 1, 05 section 4): the socket is made under a private
// name, given its mode, and then linked to its real name, which fails if something is there.
import { chmodSync, linkSync, lstatSync, type Stats, unlinkSync } from "node:fs";

/** The path and inode of a socket that this process made. */
export interface OwnedPath {
  readonly path: string;
  readonly dev: number;
  readonly ino: number;
}

/** Removes a dead socket at `path`; throws if anything else is there. */
export async function clearDeadSocket(path: string): Promise<void> {
  const found = statOf(path);
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new Error(`Cannot listen on unix:${path}: the path exists and is not a socket`);
  }
  if (await isAlive(path)) {
    throw new Error(`Cannot listen on unix:${path}: another process is listening there`);
  }
  const again = statOf(path);
  if (again === undefined) return;
  if (again.dev !== found.dev || again.ino !== found.ino) {
    throw new Error(`Cannot listen on unix:${path}: the socket changed while it was probed`);
  }
  unlinkSync(path);
}

/** The private name under which the socket is made. */
export function privatePath(path: string): string {
  return `${path}.${process.pid}`;
}

/** Gives the socket at the private name its mode and its real name. */
export function publish(path: string, mode: number): OwnedPath {
  const made = privatePath(path);
  try {
    chmodSync(made, mode);
    linkSync(made, path);
  } finally {
    unlinkSync(made);
  }
  const { dev, ino } = lstatSync(path);
  return { path, dev, ino };
}

/** Removes the path if it is still the socket that we made. */
export function unlinkOwned(owned: OwnedPath): void {
  const found = statOf(owned.path);
  if (found?.isSocket() && found.dev === owned.dev && found.ino === owned.ino) {
    unlinkSync(owned.path);
  }
}

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

async function isAlive(path: string): Promise<boolean> {
  try {
    const socket = await Bun.connect({ unix: path, socket: { data() {} } });
    socket.end();
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ECONNREFUSED" || code === "ENOENT") return false;
    throw new Error(`Cannot listen on unix:${path}: cannot probe the socket there: ${code}`);
  }
}
