// The six tab-separated columns of the Rust observer (spec 09 section 1): observer_ns, kind, pid,
// nonce, status, payload; "-" marks an empty column. An agent whose pid another source holds has
// ADDRESS/pid in the column of the pid, which no other agent has.
import { IP_WORDS, writeIp } from "../base/ip_text.ts";
import type { TextBuffer } from "../base/text_buffer.ts";
import { escapeUnprintable } from "../base/unprintable.ts";
import { EVENT_BEAT, type EventBatch, keyOfRow } from "../events/event_batch.ts";
import type { ErrnoText, EventRows } from "../events/event_forms.ts";
import { ROW_KINDS } from "../events/event_kinds.ts";
import type { MemberExit, MemberGone } from "../events/member_end.ts";
import type { Stall } from "../events/stall.ts";
import { statusText } from "../wire/frame.ts";
import type { Evicted, LineFormat } from "./line_format.ts";

const TAB = 0x09;
const LF = 0x0a;
const DASH = 0x2d;
const SLASH = 0x2f;

export class TsvFormat implements LineFormat {
  readonly #errnoText: ErrnoText;

  constructor(errnoText: ErrnoText) {
    this.#errnoText = errnoText;
  }

  row(text: TextBuffer, batch: EventBatch, row: number): void {
    if (batch.kind[row]! === EVENT_BEAT) this.#beat(text, batch, row);
    else this.#other(text, batch, row);
  }

  stall(text: TextBuffer, stall: Stall): void {
    text.decimal(Math.floor(stall.observerNs));
    text.ascii("\tstall\t");
    if (stall.key !== stall.pid) writeSource(text, stall.source);
    text.decimal(stall.pid);
    text.byte(TAB);
    text.decimalU64(stall.lastNonceHi, stall.lastNonceLo);
    text.ascii("\tstall\t-\n");
  }

  eviction(text: TextBuffer, { pid, source, observerNs }: Evicted): void {
    text.decimal(Math.floor(observerNs));
    text.ascii("\teviction\t");
    if (source !== "") writeSource(text, source);
    text.decimal(pid);
    text.ascii("\t-\t-\t-\n");
  }

  exit(text: TextBuffer, exit: MemberExit): void {
    this.#end(text, exit, "exit", endText(exit));
  }

  gone(text: TextBuffer, gone: MemberGone): void {
    const { reason, byPid } = gone;
    this.#end(text, gone, "gone", reason === "replaced" ? `replaced by ${byPid}` : reason);
  }

  #end(text: TextBuffer, end: MemberExit | MemberGone, kind: string, word: string): void {
    text.decimal(Math.floor(end.observerNs));
    text.ascii(`\t${kind}\t${end.pid}\t-\t-\t${word}\n`);
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
    text.byte(LF);
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
    if (sentence !== undefined) text.utf8(escapeTsv(sentence(rows, row, this.#errnoText)));
    text.byte(LF);
  }
}

/** "exit status 3", "signal 9", "unknown". */
function endText({ exitStatus, signal }: MemberExit): string {
  if (!Number.isNaN(signal)) return `signal ${signal}`;
  return Number.isNaN(exitStatus) ? "unknown" : `exit status ${exitStatus}`;
}

function writeSource(text: TextBuffer, source: string): void {
  text.ascii(source);
  text.byte(SLASH);
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
