// Trust classes of a beat (spec 05 section 1). The listener stamps the origin; the slot's first
// beat pins it; there is no ranking among origins and no take-over of a slot by another origin.

export type Origin = 0 | 1 | 2 | 3 | 4;

export const ORIGIN_KERNEL_ATTESTED = 0;
export const ORIGIN_OPERATOR_ATTESTED = 1;
export const ORIGIN_SOCKET_MODE_ONLY = 2;
export const ORIGIN_NETWORK_UNVERIFIED = 3;
/** A secret key authenticated the frame; the Rust observer calls it network_unverified, too. */
export const ORIGIN_KEY_ATTESTED = 4;

/** Text of an origin in metrics, logs, export and placeholders, indexed by code. */
export const ORIGIN_TEXTS = [
  "kernel_attested",
  "operator_attested",
  "socket_mode_only",
  "network_unverified",
  "key_attested",
] as const;

/** True of what came over a network: whoever sent it may be on another machine. */
export function isNetworkOrigin(origin: number): boolean {
  return (
    origin === ORIGIN_OPERATOR_ATTESTED ||
    origin === ORIGIN_NETWORK_UNVERIFIED ||
    origin === ORIGIN_KEY_ATTESTED
  );
}

export function originText(origin: number): string {
  return ORIGIN_TEXTS[origin] ?? "unknown";
}
