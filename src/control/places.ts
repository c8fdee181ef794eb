// Who gets one of the connections (spec 16 section 5). Root and the user of the daemon have places
// of their own: what other users leave open keeps nobody out who has to act.

export const CONNECTIONS_MAX = 64;
/** Of a uid: one that leaves its connections open keeps no other one out. */
export const CONNECTIONS_PER_UID_MAX = 8;
/** Of all who are neither root nor the user of the daemon: these two always have theirs. */
const OTHERS_MAX = CONNECTIONS_MAX - 2 * CONNECTIONS_PER_UID_MAX;

/** `open` are the uids of the connections that there are; undefined = the kernel tells none. */
export function hasPlace(
  uid: number | undefined,
  open: readonly (number | undefined)[],
  daemonUid: number,
): boolean {
  const isOther = (one: number | undefined): boolean => one !== 0 && one !== daemonUid;
  if (open.length >= CONNECTIONS_MAX) return false;
  if (open.filter((one) => one === uid).length >= CONNECTIONS_PER_UID_MAX) return false;
  return !isOther(uid) || open.filter(isOther).length < OTHERS_MAX;
}
