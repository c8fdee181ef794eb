// varta-audit(5): the columns come from the reader of the log itself; a new kind of record or
// reason does not compile before it is explained here.
import type { BootReason } from "../../src/audit/record.ts";
import {
  BOOT_COLUMNS_KEYED,
  COLUMNS,
  COMPLETE_COLUMNS_CAPTURED,
  RUN_COLUMNS,
  type RowKind,
} from "../../src/audit/row.ts";
import { literalBlock, textLines, wrapped } from "./mdoc.ts";
import { fillTemplate } from "./template.ts";

/** Fits an 80-column terminal after two indents. */
const DISPLAY_BYTES_MAX = 60;

const KINDS: Readonly<Record<RowKind, string>> = {
  boot: "The daemon started, or the log goes on in a new file.",
  spawn: "A recovery command was started.",
  complete: "A recovery command ended.",
  refused: "A recovery was wanted and did not run.",
  act: "Somebody told the daemon to do something.",
  moved: "The log goes on in another file, or came from one: its last row, and its chain.",
  tamper_suspected: "The log was not what the daemon remembers, or was changed while it was open.",
};

const BOOT_REASONS: Readonly<Record<BootReason, string>> = {
  fresh: "The file was new or empty.",
  resume: "The file ended as it should, and the chain goes on.",
  rotation: "The file before this one was full, and the chain goes on.",
  legacy_v1: "The file has records of the older schema, which had no chain; it begins below them.",
  corrupt_tail: "The last line was cut short, as a crash leaves it, and was removed.",
  keyed: "The rows from here on are under a key; the chain goes on from those before it.",
  unkeyed: "The rows before it are under a key, and the ones from here on are not.",
  schema_drift: "The file held what the daemon could not read, which was left as it was.",
};

export function auditPage(): string {
  return fillTemplate("varta-audit.5", {
    COLUMNS: Object.entries(KINDS).map(kindItem).join("\n"),
    BOOT_REASONS: Object.entries(BOOT_REASONS)
      .map(([reason, meaning]) => `.It Li ${reason}\n${textLines(meaning)}`)
      .join("\n"),
  });
}

function kindItem([kind, meaning]: [string, string]): string {
  const columns = COLUMNS[kind as RowKind];
  return [`.It Ic ${kind}`, textLines(meaning), display(columns), ...longer(kind)].join("\n");
}

function longer(kind: string): string[] {
  if (kind === "boot") return ["With a key:", display(BOOT_COLUMNS_KEYED)];
  const ofRun = ["With a configuration file, before the chain:", display(RUN_COLUMNS)];
  if (kind === "complete")
    return ["With captured output:", display(COMPLETE_COLUMNS_CAPTURED), ...ofRun];
  return kind === "spawn" || kind === "refused" ? ofRun : [];
}

/** Columns in order; filled here, because man would break the names. */
function display(columns: readonly string[]): string {
  return literalBlock(wrapped(columns.join(" "), DISPLAY_BYTES_MAX));
}
