// Who may act (spec 16 section 2): by the credentials that the kernel tells of the peer.
import { type PeerCredentials, peerGroups } from "../../ffi/peer.ts";

/** `[control] operators`, resolved. */
export interface Operators {
  readonly uids: readonly number[];
  readonly gids: readonly number[];
}

/** `groupsOf` is only asked if nothing else decides. */
export function mayAct(
  peer: PeerCredentials | undefined,
  daemonUid: number,
  { uids, gids }: Operators,
  groupsOf: () => readonly number[],
): boolean {
  if (peer === undefined) return false;
  if (peer.uid === 0 || peer.uid === daemonUid || uids.includes(peer.uid)) return true;
  if (gids.length === 0) return false;
  return gids.includes(peer.gid) || groupsOf().some((gid) => gids.includes(gid));
}

/** The supplementary groups of the peer at `fd`, as of its connect(2). */
export function groupsAt(fd: number): () => readonly number[] {
  return () => peerGroups(fd);
}
