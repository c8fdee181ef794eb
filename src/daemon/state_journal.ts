// The journal of recoveries beside the state (spec 18 section 8). One that cannot be read is set
// aside like a state, and one that cannot be used costs the daemon nothing but its memory.
import { existsSync } from "node:fs";
import { FIRED_LINES, type FiredEntry, PROGRESS_LINES } from "../recovery/fired_entry.ts";
import { FiredJournal } from "../recovery/fired_journal.ts";
import { setAside } from "../snapshot/found_state.ts";
import { JOURNAL_SUFFIX } from "./audit_file.ts";
import type { Log } from "./log.ts";
import { monotonicNs } from "./monotonic.ts";

interface StateJournal {
  /** Undefined = it cannot be used, which was said. */
  readonly journal: FiredJournal | undefined;
  /** What an earlier version noted beside its audit log, read once. */
  readonly older: readonly FiredEntry[];
}

interface JournalOptions {
  /** Of the state. */
  readonly path: string;
  readonly auditFile: string | undefined;
  readonly ownerUid: number;
  readonly log: Pick<Log, "warn">;
}

export function openStateJournal(options: JournalOptions): StateJournal {
  const path = `${options.path}${JOURNAL_SUFFIX}`;
  const isFirst = !existsSync(path);
  const journal = openOrSetAside(path, options);
  const older = isFirst && journal !== undefined ? notedBeside(options) : [];
  return { journal, older };
}

function openOrSetAside(
  path: string,
  { ownerUid, log }: Pick<JournalOptions, "ownerUid" | "log">,
): FiredJournal | undefined {
  const open = () => FiredJournal.open(path, { ownerUid, monotonicNs, form: PROGRESS_LINES });
  try {
    try {
      return open();
    } catch (error) {
      const aside = setAside(path, ownerUid);
      if (aside === "") throw error;
      log.warn("recovery journal unreadable", {
        file: path,
        reason: (error as Error).message,
        set_aside: aside,
        effect: "recoveries of the last seconds before a kill are not known",
      });
      return open();
    }
  } catch (error) {
    log.warn("recoveries not noted", {
      file: path,
      error: (error as Error).message,
      effect: "a kill forgets recoveries that the last state does not have",
    });
    return undefined;
  }
}

function notedBeside({ auditFile, ownerUid }: JournalOptions): readonly FiredEntry[] {
  const path = `${auditFile}${JOURNAL_SUFFIX}`;
  if (auditFile === undefined || !existsSync(path)) return [];
  try {
    const journal = FiredJournal.open(path, { ownerUid, monotonicNs, form: FIRED_LINES });
    journal.close();
    return journal.found;
  } catch {
    // It is not the daemon's, and is read no more.
    return [];
  }
}
