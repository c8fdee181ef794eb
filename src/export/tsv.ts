// Tab-separated lines (spec 09 section 1): the six columns of the Rust observer, which are
// observer_ns, kind, pid, nonce, status and payload, and behind them our own, unless the daemon was
// started by its options alone. "-" marks an empty column. An agent whose pid another source holds
// has ADDRESS/pid in the column of the pid, which no other agent has.
import { IP_WORDS, writeIp } from "../base/ip_text.ts";
import type { TextBuffer } from "../base/text_buffer.ts";
import { u64Text } from "../base/u64.ts";
import { escapeUnprintable } from "../base/unprintable.ts";
import type { EndNumbers } from "../base/wait_status.ts";
import { EVENT_BEAT, type EventBatch, keyOfRow } from "../events/event_batch.ts";
import { EVENT_FIELDS, type Field } from "../events/event_fields.ts";
import type { EventObject, EventRows, ExportContext } from "../events/event_forms.ts";
import { EVENT_KINDS, type EventKind, ROW_KINDS } from "../events/event_kinds.ts";
import { statusText } from "../wire/frame.ts";
import type { ExportedObjects, LineFormat, ObjectKind } from "./line_format.ts";

/** By the keys of the JSONL format. */
const OWN_COLUMNS: readonly string[] = [
  "listener",
  "agent",
  "silence_ms",
  "threshold_ms",
  "last_status",
  "verdict",
  "exit_status",
  "signal",
  "recovery_id",
  "plan",
  "step",
  "step_number",
  "step_count",
  "duration_ms",
];

const ABSENT = "-";
/** What is called "-", as an agent may be. */
const ABSENT_ESCAPED = "%2D";
const TAB = 0x09;
const DASH = 0x2d;
const SLASH = 0x2f;

const encoder = new TextEncoder();

interface TsvContext extends ExportContext {
  /** The six columns of the Rust observer and no other. */
  readonly observerColumns: boolean;
}

export class TsvFormat implements LineFormat {
  readonly #context: TsvContext;
  /**
   * What stands behind the six columns of a row, by the number of its listener, made with its first
   * row: a reload may add one.
   */
  readonly #rowEnds: Uint8Array[] = [];

  constructor(context: TsvContext) {
    this.#context = context;
  }

  row(text: TextBuffer, batch: EventBatch, row: number): void {
    if (batch.kind[row]! === EVENT_BEAT) this.#beat(text, batch, row);
    else this.#other(text, batch, row);
  }

  object<K extends ObjectKind>(text: TextBuffer, kind: K, event: ExportedObjects[K]): void {
    const {
      pid = ABSENT,
      nonce = ABSENT,
      status = ABSENT,
      payload = ABSENT,
    } = FIRST_COLUMNS[kind](event);
    const columns = [pid, nonce, status, payload];
    if (!this.#context.observerColumns) columns.push(...this.#ownColumns(kind, event));
    text.decimal(Math.floor(event.observerNs));
    text.utf8(`\t${EVENT_KINDS[kind].line}\t${columns.map(escapeTsv).join("\t")}\n`);
  }

  #ownColumns(kind: ObjectKind, event: object): string[] {
    const { fields }: EventKind = EVENT_KINDS[kind];
    const said = fields.map((name) => EVENT_FIELDS[name] as Field);
    return OWN_COLUMNS.map((column) => {
      const { written } = said.find(({ key }) => key === column) ?? {};
      const value = written?.exportedOf(event as EventObject, this.#context) ?? "";
      if (value === "" || Number.isNaN(value)) return ABSENT;
      return value === ABSENT ? ABSENT_ESCAPED : String(value);
    });
  }

  #beat(text: TextBuffer, batch: EventBatch, row: number): void {
    text.decimal(Math.floor(batch.observerNs[row]!));
    text.ascii("\tbeat\t");
    if (keyOfRow(batch, row) !== batch.pid[row]!) {
      writeIp(text, batch.source, row * IP_WORDS);
      text.byte(SLASH);
    }
    text.decimal(batch.pid[row]!);
    text.byte(TAB);
    text.decimalU64(batch.nonceHi[row]!, batch.nonceLo[row]!);
    text.byte(TAB);
    text.ascii(statusText(batch.status[row]!));
    text.byte(TAB);
    text.decimal(batch.payload[row]!);
    const listener = batch.listener[row]!;
    text.copy(this.#rowEnds[listener] ?? this.#rowEnd(listener));
  }

  #rowEnd(listener: number): Uint8Array {
    const { listeners, observerColumns } = this.#context;
    const own = [listeners[listener]!, ...OWN_COLUMNS.slice(1).map(() => ABSENT)];
    const made = encoder.encode(observerColumns ? "\n" : `\t${own.join("\t")}\n`);
    this.#rowEnds[listener] = made;
    return made;
  }

  #other(text: TextBuffer, batch: EventBatch, row: number): void {
    const { line, mismatch, sentence } = ROW_KINDS[batch.kind[row]!]!;
    text.decimal(Math.floor(batch.observerNs[row]!));
    text.byte(TAB);
    text.ascii(line);
    text.byte(TAB);
    if (mismatch === undefined) text.byte(DASH);
    else text.decimal(batch.pid[row]!);
    text.ascii("\t-\t-\t");
    if (mismatch !== undefined) text.ascii(mismatch);
    const rows = batch as unknown as EventRows;
    if (sentence !== undefined) text.utf8(escapeTsv(sentence(rows, row, this.#context.errnoText)));
    const listener = batch.listener[row]!;
    text.copy(this.#rowEnds[listener] ?? this.#rowEnd(listener));
  }
}

interface FirstColumns {
  readonly pid?: string;
  readonly nonce?: string;
  readonly status?: string;
  readonly payload?: string;
}

/** The columns of the Rust observer behind time and kind. */
const FIRST_COLUMNS: { readonly [K in ObjectKind]: (event: ExportedObjects[K]) => FirstColumns } = {
  stall: ({ key, pid, source, lastNonceHi, lastNonceLo }) => ({
    pid: pidText(pid, key === pid ? "" : source),
    nonce: u64Text(lastNonceHi, lastNonceLo),
    status: "stall",
  }),
  eviction: ({ pid, source }) => ({ pid: pidText(pid, source) }),
  exit: (exit) => ({ pid: String(exit.pid), payload: endText(exit, "exit status") || "unknown" }),
  gone: ({ pid, reason, byPid }) => ({
    pid: String(pid),
    payload: reason === "replaced" ? `replaced by ${byPid}` : reason,
  }),
  resume: ({ key, pid, source, nonceHi, nonceLo, status }) => ({
    pid: pidText(pid, key === pid ? "" : source),
    nonce: u64Text(nonceHi, nonceLo),
    status: statusText(status),
  }),
  recovery: ({ pid, outcome, reason, exitCode, signal }) => ({
    pid: String(pid),
    payload: [outcome, reason, endText({ exitStatus: exitCode, signal }, "exit code")]
      .filter((word) => word !== "")
      .join(" "),
  }),
  late: ({ key, pid, source }) => ({ pid: pidText(pid, key === pid ? "" : source) }),
  missing: ({ members, expected }) => ({ payload: `${members} of ${expected}` }),
  complete: ({ members, expected }) => ({ payload: `${members} of ${expected}` }),
  mute: ({ target, phase }) => ({ payload: `${phase} ${target}` }),
  act: ({ pid, act, target }) => ({
    ...(Number.isNaN(pid) ? {} : { pid: String(pid) }),
    payload: `${act} ${target}`,
  }),
  reload: ({ pid, config, detail }) => ({ pid: String(pid), payload: `${config}: ${detail}` }),
  boot: ({ pid, version }) => ({ pid: String(pid), payload: version }),
  shutdown: ({ pid, reason }) => ({ pid: String(pid), payload: reason }),
};

function pidText(pid: number, source: string): string {
  return source === "" ? String(pid) : `${source}/${pid}`;
}

/** "exit status 3", "signal 9"; "" = it is not known how it ended. */
function endText(
  { exitStatus, signal }: Pick<EndNumbers, "exitStatus" | "signal">,
  status: string,
): string {
  if (!Number.isNaN(signal)) return `signal ${signal}`;
  return Number.isNaN(exitStatus) ? "" : `${status} ${exitStatus}`;
}

/**
 * Free text keeps the numbers of columns and lines: the backslash and all that a terminal would
 * obey is escaped.
 */
export function escapeTsv(text: string): string {
  const escaped = text.replace(/[\\\x00-\x1f\x7f]/g, (character) => {
    const named = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" }[character];
    return named ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
  return escapeUnprintable(escaped);
}
