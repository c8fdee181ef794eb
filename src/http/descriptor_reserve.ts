// How many descriptors connections may have. A connection never gets one of the last numbers below
// the limit, so those are always left for the pipes of children and for files, however many clients
// come; no counting is needed, because the kernel gives the lowest free number.
import { descriptorLimit } from "../../ffi/limits.ts";
import { DESCRIPTORS_RESERVED_MAX, HTTP_CONNECTIONS_MAX } from "../base/limits.ts";

export interface ConnectionRoom {
  /** Connections at a time, at least one. */
  readonly connectionsMax: number;
  /** A connection's descriptor must be below this. */
  readonly fdEnd: number;
}

/** `lowestFree` is the number that the next descriptor would get; `limit` is RLIMIT_NOFILE. */
export function connectionRoom(lowestFree: number, limit = ownLimit()): ConnectionRoom {
  const free = Math.max(0, limit - lowestFree);
  const reserved = Math.min(DESCRIPTORS_RESERVED_MAX, Math.ceil(free / 2));
  const room = Math.max(1, free - reserved);
  return { connectionsMax: Math.min(HTTP_CONNECTIONS_MAX, room), fdEnd: lowestFree + room };
}

function ownLimit(): number {
  return Number(descriptorLimit()?.soft ?? Number.POSITIVE_INFINITY);
}
