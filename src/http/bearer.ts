// The bearer token of the metrics page (spec 13 section 3): 32 bytes, compared in constant time.
import { timingSafeEqual } from "node:crypto";

/** The scheme in any case, spaces or tabs, exactly 64 hex digits, nothing after them. */
const BEARER = /^[ \t]*bearer[ \t]+([0-9a-f]{64})$/i;

/** True if `authorization`, the header's value, carries `token`. */
export function bearerMatches(authorization: string | null, token: Uint8Array): boolean {
  const digits = BEARER.exec(authorization ?? "")?.[1];
  if (digits === undefined) return false;
  const given = Buffer.from(digits, "hex");
  return given.length === token.length && timingSafeEqual(given, token);
}
