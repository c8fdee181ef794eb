// Who may write to the first Unix listener, by its file (spec 16 section 4): what `status` says
// while no beat has come. Read when it is asked for.
import { statSync } from "node:fs";
import { modeText } from "../config/problems/found.ts";
import type { Listener } from "../listener/listener.ts";
import { UnixListener } from "../listener/unix.ts";
import type { SocketRights } from "../view/status_view.ts";

interface Names {
  readonly userName: (uid: number) => string;
  readonly groupName: (gid: number) => string;
}

/** Undefined = there is no such listener, or its file is gone. */
export function socketRights(
  listeners: readonly Listener[],
  { userName, groupName }: Names,
): SocketRights | undefined {
  const isOfFrames = (one: Listener): one is UnixListener =>
    one instanceof UnixListener && one.kind === "unix";
  const path = listeners.find(isOfFrames)?.path;
  const stat = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false });
  if (path === undefined || stat === undefined) return undefined;
  return { path, mode: modeText(stat.mode), owner: userName(stat.uid), group: groupName(stat.gid) };
}
