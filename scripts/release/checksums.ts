// SHA256SUMS, as sha256sum(1) writes and checks it.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const CHECKSUMS = "SHA256SUMS";

/**
 * Writes the checksums of the files `names` of `directory` into it, in the order of their names.
 */
export function writeChecksums(directory: string, names: readonly string[]): void {
  const lines = names
    .toSorted()
    .map((name) => `${sha256(readFileSync(join(directory, name)))}  ${name}\n`);
  writeFileSync(join(directory, CHECKSUMS), lines.join(""));
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
