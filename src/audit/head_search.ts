// Finds the remembered head of a log for `audit verify`: in the state directory, or in a copy of it
// on another machine, where the log has another path. Reads only; nothing is set aside.
import { closeSync, readdirSync, readSync } from "node:fs";
import { basename, join } from "node:path";
import type { ChainKey } from "./chain.ts";
import { HEAD_NAME } from "./head_memory.ts";
import { HEAD_RECORD_BYTES_MAX, type HeadRecord, parseHeadRecord } from "./head_record.ts";
import { openLogFile } from "./log_files.ts";

type HeadSearch =
  | {
      readonly ok: true;
      readonly path: string;
      readonly record: HeadRecord;
      /** False if it is under a key that was not given. */
      readonly isChecked: boolean;
    }
  | {
      readonly ok: false;
      /** A sentence for people. */
      readonly found: string;
      /** True if there is a head and it is unusable. */
      readonly isBad: boolean;
    };

/** Heads of other logs that are tried. */
const HEADS_MAX = 64;

/**
 * `log` is the absolute path of the log. One of the same name will do where none is of the same
 * path.
 */
export function findHead(directory: string, log: string, keys: readonly ChainKey[]): HeadSearch {
  let names: string[];
  try {
    names = readdirSync(directory).filter((name) => /^audit(-[0-9a-f]{16})?\.head$/.test(name));
  } catch (error) {
    const found = `cannot look for ${HEAD_NAME}: ${(error as Error).message}`;
    return { ok: false, found, isBad: false };
  }
  const heads = names.slice(0, HEADS_MAX).map((name) => readHead(join(directory, name), keys));
  const good = heads.filter((head) => head.ok);
  const same = good.find(({ record }) => record.file === log);
  const alike = good.find(({ record }) => basename(record.file) === basename(log));
  if (same !== undefined || alike !== undefined) return (same ?? alike)!;
  const bad = heads.find((head) => !head.ok);
  return (
    bad ?? { ok: false, found: `cannot find the head of ${log} in ${directory}`, isBad: false }
  );
}

function readHead(path: string, keys: readonly ChainKey[]): HeadSearch {
  try {
    const parsed = parseHeadRecord(contentOf(path), keys);
    if (parsed.ok) return { ...parsed, path };
    return { ok: false, found: `cannot use ${path}: found ${parsed.found}`, isBad: true };
  } catch (error) {
    const found = `cannot read ${path}: ${(error as Error).message}`;
    return { ok: false, found, isBad: true };
  }
}

function contentOf(path: string): Uint8Array {
  const { fd } = openLogFile(path);
  try {
    const bytes = new Uint8Array(new ArrayBuffer(HEAD_RECORD_BYTES_MAX + 1));
    return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(fd);
  }
}
