// Features that the file format has and this version does not. Their keys are checked like all
// others; a file without any other problem that uses one is refused with these words, rather than
// obeyed in part. A feature that arrives takes its lines out of here and changes nothing else.
import type { Fault } from "../problems/fault.ts";
import { pathText } from "../problems/found.ts";
import type { CheckedDocument } from "./check_document.ts";
import { type Conflict, conflictFault } from "./key_ref.ts";

/** The features used by a configuration that is good otherwise. */
export function unavailableFaults(document: CheckedDocument): Fault[] {
  return hardwareWatchdog(document).map((conflict) => conflictFault(document, conflict));
}

function hardwareWatchdog(document: CheckedDocument): Conflict[] {
  const { hw_watchdog } = document.tables.liveness.values;
  if (hw_watchdog === undefined) return [];
  const want = "no hardware watchdog: this version does not feed one yet";
  const at = { table: "liveness", key: "hw_watchdog" } as const;
  return [{ at, anchor: "value", found: pathText(hw_watchdog), want }];
}
