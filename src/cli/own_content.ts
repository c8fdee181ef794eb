// Whether a file that the daemon will write to holds what the daemon writes: the start refuses to
// touch any other, and so `check` has to know the content of each. Reads only.
import { closeSync, constants, existsSync, openSync, readSync } from "node:fs";
import { dirname, join } from "node:path";
import { HEAD_NAME } from "../audit/head_memory.ts";
import { readLogFile } from "../audit/log_files.ts";
import { looksLikeOurs } from "../audit/probe.ts";
import { parseRow } from "../audit/row.ts";
import type { OwnContent } from "../config/load_result.ts";
import { isHeartbeat } from "../daemon/heartbeat.ts";
import { EXPORT_CONTENT } from "../export/event_export.ts";
import { isFiredJournal } from "../recovery/fired_journal.ts";

/** First bytes of a file: all of a journal. */
const CONTENT_BYTES = 64 * 1_024;
/** As many of them as the start reads. */
const EXPORT_BYTES = 4_096;
const AUDIT_BYTES = 64;

/** True if the file at `path` can be read and holds something else than `content`. */
export function holdsOther(content: OwnContent, path: string): boolean {
  try {
    const bytes = firstBytes(path);
    if (bytes.length === 0) return false;
    switch (content) {
      case "audit log":
        return (
          !looksLikeOurs(bytes.subarray(0, AUDIT_BYTES)) && !isRemembered(path) && !hasRow(path)
        );
      case "journal of recoveries":
        return !isFiredJournal(bytes);
      case "event export":
        return !EXPORT_CONTENT.begins(bytes.subarray(0, EXPORT_BYTES));
      case "heartbeat":
        return !isHeartbeat(bytes);
    }
  } catch {
    // The user of the daemon may write to it and not read it: the start will report it.
    return false;
  }
}

/** A log that is remembered is gone on with, whatever became of its content. */
function isRemembered(log: string): boolean {
  return existsSync(join(dirname(log), HEAD_NAME));
}

function hasRow(log: string): boolean {
  let isFound = false;
  readLogFile(log, (line) => {
    isFound ||= parseRow(line) !== undefined;
  });
  return isFound;
}

function firstBytes(path: string): Buffer {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const bytes = Buffer.alloc(CONTENT_BYTES);
    return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(fd);
  }
}
