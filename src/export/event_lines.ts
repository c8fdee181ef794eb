// The lines of the export before they are anybody's bytes on a disk (spec 09): which events are
// chosen, in the order in which they happened, and the return of a member, which is made here from
// its stall and the beat that ended it.
import { AGENT_NEW } from "../agents/agent_table.ts";
import type { Origin } from "../base/origin.ts";
import type { TextBuffer } from "../base/text_buffer.ts";
import type { DaemonShutdown } from "../events/daemon_life.ts";
import { EVENT_BEAT, type EventBatch, keyOfRow, sourceOfRow } from "../events/event_batch.ts";
import type { ExportContext } from "../events/event_forms.ts";
import { EVENT_KINDS, type EventWord, ROW_KINDS } from "../events/event_kinds.ts";
import type { RecoveryOutcome } from "../events/outcome.ts";
import type { Stall } from "../events/stall.ts";
import { JsonlFormat } from "./jsonl.ts";
import type { ExportedObjects, LineFormat, ObjectKind } from "./line_format.ts";
import { recoveryRow } from "./recovery_row.ts";
import { StalledMembers } from "../events/stalled_members.ts";
import { TsvFormat } from "./tsv.ts";

export interface EventLinesOptions extends ExportContext {
  readonly format: "tsv" | "jsonl";
  /** The kinds of lines that are written. */
  readonly events: readonly EventWord[];
  /** TSV has the six columns of the Rust observer and no other. */
  readonly observerColumns: boolean;
}

export class EventLines {
  /** Lines in `text`. */
  count = 0;
  readonly text: TextBuffer;
  readonly #format: LineFormat;
  readonly #jsonl: JsonlFormat | undefined;
  readonly #chosen: ReadonlySet<string>;
  /** By the numbers of the kinds: 1 = its rows are written. */
  readonly #chosenRows: Uint8Array;
  #stalled = new StalledMembers();
  #stallCount = 0;
  #recoveryCount = 0;

  constructor(options: EventLinesOptions, text: TextBuffer) {
    this.text = text;
    this.#jsonl = options.format === "jsonl" ? new JsonlFormat(options) : undefined;
    this.#format = this.#jsonl ?? new TsvFormat(options);
    this.#chosen = new Set(options.events);
    this.#chosenRows = Uint8Array.from(ROW_KINDS, (kind) =>
      kind !== undefined && this.#chosen.has(kind.line) ? 1 : 0,
    );
  }

  /** Wall clock minus observer time, in ns, taken at the start of the turn. */
  setWallOffsetNs(wallOffsetNs: number): void {
    if (this.#jsonl !== undefined) this.#jsonl.wallOffsetNs = wallOffsetNs;
  }

  /** Takes over what `before` knows of the run: stalls that are not over, and their number. */
  goOn(before: EventLines): void {
    this.#stalled = before.#stalled;
    this.#stallCount = before.#stallCount;
    this.#recoveryCount = before.#recoveryCount;
  }

  /** What was written is elsewhere now. */
  clear(): void {
    this.text.clear();
    this.count = 0;
  }

  /** The number of lines that were written. */
  onBatch(batch: EventBatch, count: number): number {
    const countBefore = this.count;
    const format = this.#format;
    const text = this.text;
    const chosen = this.#chosenRows;
    const { kind, resumed } = batch;
    for (let row = 0; row < count; row++) {
      if (chosen[kind[row]!] === 1) {
        format.row(text, batch, row);
        this.count++;
      }
      if (kind[row]! === EVENT_BEAT && resumed[row]! === 1) this.#resumed(batch, row);
    }
    return this.count - countBefore;
  }

  onStall(stall: Stall): void {
    this.#stallCount++;
    this.#stalled.add(stall);
    this.add("stall", stall);
  }

  /** The daemon before this one has written its line. */
  restored(stall: Stall): void {
    this.#stalled.add(stall);
  }

  /** The member of `key` is not in the table any more. */
  onLeft(key: number): void {
    this.#stalled.take(key);
  }

  onOutcome(outcome: RecoveryOutcome): void {
    if (outcome.kind === "began") this.#recoveryCount++;
    const row = recoveryRow(outcome);
    if (row !== undefined) this.add("recovery", row);
  }

  onShutdown(shutdown: DaemonShutdown): void {
    const counts = { stalls: this.#stallCount, recoveries: this.#recoveryCount };
    this.add("shutdown", { ...shutdown, ...counts });
  }

  add<K extends ObjectKind>(kind: K, event: ExportedObjects[K]): void {
    if (!this.#chosen.has(EVENT_KINDS[kind].line)) return;
    this.#format.object(this.text, kind, event);
    this.count++;
  }

  #resumed(batch: EventBatch, row: number): void {
    const key = keyOfRow(batch, row);
    const stall = this.#stalled.take(key);
    this.add("resume", {
      observerNs: batch.observerNs[row]!,
      listener: batch.listener[row]!,
      agent: stall?.agent ?? AGENT_NEW,
      pid: batch.pid[row]!,
      key,
      source: sourceOfRow(batch, row),
      nonceHi: batch.nonceHi[row]!,
      nonceLo: batch.nonceLo[row]!,
      status: batch.status[row]!,
      origin: batch.origin[row]! as Origin,
      generation: batch.generation[row]!,
      lastNs: stall?.lastNs ?? Number.NaN,
      verdict: stall?.verdict,
    });
  }
}
