// The export of the simulated daemon: the very formatting of the real one, read back strictly and
// put into the words of its model (export_model.ts).
import { TextBuffer } from "../../src/base/text_buffer.ts";
import { EVENT_WORDS } from "../../src/events/event_kinds.ts";
import { RECOVERY_RESULTS } from "../../src/events/outcome_words.ts";
import type { EventLines } from "../../src/export/event_lines.ts";
import { type ExportLine, readJsonl } from "../support/export_lines.ts";
import type { Seams } from "./seams.ts";

const RESULTS: readonly unknown[] = RECOVERY_RESULTS;

/** As a daemon with a configuration file has them. */
export function makeEventLines(listeners: readonly string[], seams: Seams): EventLines {
  return seams.exportLines(
    {
      format: "jsonl",
      events: EVENT_WORDS.filter((word) => word !== "beat"),
      observerColumns: false,
      listeners,
      agentName: () => "",
      errnoText: String,
      observerNamespaceInode: Number.NaN,
    },
    new TextBuffer(4_096),
  );
}

/** The lines of a turn. Results of recoveries and who is late are judged elsewhere. */
export function takeLines(lines: EventLines): string[] {
  const text = new TextDecoder("utf-8", { fatal: true }).decode(lines.text.view());
  const count = lines.count;
  lines.clear();
  const read = readJsonl(text);
  if (read.length !== count) throw new Error(`${read.length} lines of ${count}`);
  return read
    .filter(({ kind, outcome }) => kind !== "late" && !RESULTS.includes(outcome))
    .map((line) => `${line.kind} ${line["pid"] ?? "-"} @${line.observer_ns}${restOf(line)}`);
}

function restOf(line: ExportLine): string {
  switch (line.kind) {
    case "stall":
      return ` after ${line["silence_ms"]} of ${line["threshold_ms"]}`;
    case "resume":
      return ` after ${line["silence_ms"]}`;
    case "recovery":
      return ` ${outcomeOf(line)}`;
    default:
      return "";
  }
}

function outcomeOf(line: ExportLine): string {
  const { outcome, reason, child_pid: child, exit_code: code, signal } = line;
  if (outcome === "refused") return `refused ${reason}`;
  if (outcome === "spawned") return `spawned child ${child}`;
  return `${outcome} child ${child} code ${code ?? Number.NaN} signal ${signal ?? Number.NaN}`;
}
