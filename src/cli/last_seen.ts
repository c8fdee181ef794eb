// What a daemon that is down has left beside its control socket (spec 16 section 13).
import { dirname, join } from "node:path";
import {
  LAST_SEEN_BYTES_MAX,
  LAST_SEEN_FILE,
  type LastSeen,
  parseLastSeen,
} from "../view/last_seen.ts";
import { readLeftFile } from "./left_file.ts";

/** Undefined = there is none that can be read. */
export function lastSeen(controlPath: string): LastSeen | undefined {
  const bytes = readLeftFile(join(dirname(controlPath), LAST_SEEN_FILE), LAST_SEEN_BYTES_MAX);
  return bytes && parseLastSeen(bytes.toString("utf8"));
}
