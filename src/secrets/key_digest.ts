// Tells whether a secret file holds other keys than before, without keeping a key. A key is 32
// random bytes, so what a digest is of cannot be found by trying.
import { createHash } from "node:crypto";

/** The same for the same keys in the same order. */
export function keysDigest(keys: readonly Uint8Array[]): Uint8Array {
  const hash = createHash("sha256").update("varta key file");
  for (const key of keys) hash.update(key);
  return new Uint8Array(hash.digest());
}
