// What a listener says of the sender of a datagram before anything else is known of it.
import {
  type Datagram,
  VOUCHED_BY_KERNEL,
  VOUCHED_BY_KEY,
  VOUCHED_NOT,
} from "../events/datagram.ts";
import type { Listener } from "../listener/listener.ts";

/** Whether it may beat here at all. */
export function isAllowed(
  { allowList, batch }: Listener,
  { batchRow, peerUid }: Datagram,
): boolean {
  return allowList === undefined || allowList.allows(peerUid, batch.peerGid[batchRow]!);
}

/** Who says that a datagram comes from whom it names: a VOUCHED code. */
export function voucherOf({ kind }: Listener, { peerPid }: Datagram): number {
  if (peerPid !== 0) return VOUCHED_BY_KERNEL;
  return kind === "secure-udp" ? VOUCHED_BY_KEY : VOUCHED_NOT;
}
