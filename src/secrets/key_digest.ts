// Tells whether a secret file holds other keys than before, without keeping a key: a digest under a
// salt of this process, which says nothing to anybody who does not have both.
import { createHmac, randomBytes } from "node:crypto";

const SALT = randomBytes(32);

/** The same for the same keys in the same order, as long as the process lives. */
export function keysDigest(keys: readonly Uint8Array[]): Uint8Array {
  const hmac = createHmac("sha256", SALT);
  for (const key of keys) hmac.update(key);
  return new Uint8Array(hmac.digest());
}
