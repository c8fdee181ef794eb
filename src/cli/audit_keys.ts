// The keys that `audit verify --key-file FILE` checks with: one, or one per line when older
// sections are under older keys. Read like every secret; root may read the file of the daemon's
// user.
import { lstatSync } from "node:fs";
import { effectiveUid } from "../../ffi/process.ts";
import { type ChainKey, chainKey } from "../audit/chain.ts";
import { readKeyListFile } from "../secrets/key_file.ts";
import { foundText } from "../secrets/secret_fault.ts";
import { printError, printHint } from "./output.ts";

/** Undefined = the file is at fault, and that was said. */
export function readVerifyKeys(path: string | undefined): readonly ChainKey[] | undefined {
  if (path === undefined) return [];
  const read = readKeyListFile(path, ownerOf(path));
  if ("want" in read) return refuse(`found ${foundText(path, read)}; want ${read.want}`);
  const keys: ChainKey[] = [];
  for (const { line, parsed } of read) {
    if (!parsed.ok) {
      return refuse(`${path} has ${parsed.found} in line ${line}; want exactly 64 hex digits`);
    }
    keys.push(chainKey(parsed.key));
  }
  if (keys.length === 0) return refuse(`${path} has no key; want at least one of 64 hex digits`);
  return keys;
}

/** Whose file it must be: for root, that of its owner. */
function ownerOf(path: string): number {
  const uid = effectiveUid();
  if (uid !== 0) return uid;
  return lstatSync(path, { throwIfNoEntry: false })?.uid ?? uid;
}

function refuse(message: string): undefined {
  printError(`cannot use the key: ${message}`);
  printHint("it is the file that audit.key_file names");
}
