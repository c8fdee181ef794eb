// The event export file (spec 09): one line per event in event order. Lines are formatted on the
// loop thread into one buffer and handed to the asynchronous writer at 32 KiB or when the first one
// is 100 ms old; nothing here blocks, and what a slow disk does not take is dropped as whole lines
// and counted.
import { block, counter } from "../base/counters.ts";
import { EXPORT_FLUSH_BYTES, EXPORT_FLUSH_NS_MAX } from "../base/limits.ts";
import { TextBuffer } from "../base/text_buffer.ts";
import type { DaemonShutdown } from "../events/daemon_life.ts";
import type { EventBatch } from "../events/event_batch.ts";
import type { MemberLate } from "../events/member_late.ts";
import type { RecoveryOutcome } from "../events/outcome.ts";
import type { Stall } from "../events/stall.ts";
import type { Content, FileCalls } from "../files/append_file.ts";
import { FileWriter, type Reopened } from "../files/file_writer.ts";
import { EventLines, type EventLinesOptions } from "./event_lines.ts";
import type { ExportedObjects, ObjectKind } from "./line_format.ts";

export interface EventExportOptions extends EventLinesOptions {
  readonly path: string;
  /** Size that starts a rotation; undefined = never. */
  readonly bytesMax: number | undefined;
  /** Lines per fdatasync; 0 = only at the close. */
  readonly syncEvery: number;
  /** A monotonic clock: the path is checked once a second. */
  readonly monotonicNs: () => number;
  readonly queueBytesMax?: number;
  readonly calls?: FileCalls;
}

/**
 * A line of either format anywhere among the first ones, because the file may begin inside a line:
 * another program has cut it. Or a piece of the only one.
 */
export const EXPORT_CONTENT: Content = {
  name: "events of either format",
  begins: (bytes) => /(^|\n)([0-9]+\t[a-z]+\t|\{"t":")|^[0-9]+$/.test(bytes.toString("latin1")),
};

export const EXPORT = block({
  dropped: counter(
    "varta_export_dropped_total",
    "Event export lines lost because the queue was full or a write failed.",
    { ask: (file: { readonly droppedLines: number }) => file.droppedLines },
  ),
});

export class EventExport {
  readonly path: string;
  readonly #writer: FileWriter;
  readonly #lines: EventLines;
  /** Observer time of the first line that waits; +Infinity = none does. */
  #firstLineNs = Number.POSITIVE_INFINITY;

  /** Opens or creates the file. Throws an Error that says what was found and what is wanted. */
  static async open(options: EventExportOptions): Promise<EventExport> {
    return new EventExport(options, await FileWriter.open({ ...options, content: EXPORT_CONTENT }));
  }

  private constructor(options: EventExportOptions, writer: FileWriter) {
    this.path = options.path;
    this.#writer = writer;
    // Holds a flush and the lines of one batch more, so it does not grow.
    this.#lines = new EventLines(options, new TextBuffer(4 * EXPORT_FLUSH_BYTES));
  }

  /** Why the directory could not be synced after the file was created; a warning for the log. */
  get directorySyncError(): Error | undefined {
    return this.#writer.directorySyncError;
  }

  /** Wall clock minus observer time, in ns, taken at the start of the turn. */
  setWallOffsetNs(wallOffsetNs: number): void {
    this.#lines.setWallOffsetNs(wallOffsetNs);
  }

  /** True if it had something to write. */
  onBatch(batch: EventBatch, count: number): boolean {
    const lineCount = this.#lines.onBatch(batch, count);
    if (lineCount === 0) return false;
    this.#added(batch.observerNs[0]!);
    return true;
  }

  onStall(stall: Stall): void {
    this.#lines.onStall(stall);
    this.#added(stall.observerNs);
  }

  /** A stall that lasts since the daemon before this one, which has written its line. */
  restored(stall: Stall): void {
    this.#lines.restored(stall);
  }

  onLate(late: MemberLate): void {
    this.add("late", late);
  }

  /**
   * The tracker removed `pid`. The caller has checked that it is not tracked again. `source` is ""
   * unless another source has the pid.
   */
  onRemoved(pid: number, nowNs: number, source = ""): void {
    this.add("eviction", { pid, source, observerNs: nowNs });
  }

  /** The tracker has no member of `key` any more. */
  onLeft(key: number): void {
    this.#lines.onLeft(key);
  }

  onOutcome(outcome: RecoveryOutcome): void {
    this.#lines.onOutcome(outcome);
    this.#added(outcome.observerNs);
  }

  onShutdown(shutdown: DaemonShutdown): void {
    this.#lines.onShutdown(shutdown);
    this.#added(shutdown.observerNs);
  }

  /** An event that nothing else is made of. */
  add<K extends ObjectKind>(kind: K, event: ExportedObjects[K]): void {
    this.#lines.add(kind, event);
    this.#added(event.observerNs);
  }

  /** When `maintain` is wanted although nothing happens; +Infinity while no line waits. */
  nextDeadlineNs(): number {
    return this.#firstLineNs + EXPORT_FLUSH_NS_MAX;
  }

  /** Once per turn: hands over lines that are old enough, and lets the writer work. */
  maintain(nowNs: number): void {
    if (nowNs >= this.nextDeadlineNs()) this.#handOver();
    this.#writer.start();
  }

  /** It takes the place of `before`, in the middle of a run. */
  goOn(before: EventExport): void {
    this.#lines.goOn(before.#lines);
  }

  /** Opens the path again if another program has rotated the file. */
  reopen(): void {
    this.#handOver();
    this.#writer.reopen();
  }

  /** Lines that were lost. */
  get droppedLines(): number {
    return this.#writer.droppedLines;
  }

  /**
   * How often the file was opened again since the last call, because another program had moved or
   * removed it.
   */
  takeReopened(): Reopened | undefined {
    return this.#writer.takeReopened();
  }

  /** The last failure since the last call, for the log. */
  takeError(): Error | undefined {
    return this.#writer.takeError();
  }

  /** Writes every line, syncs and closes the file. */
  close(): Promise<void> {
    this.#handOver();
    return this.#writer.close();
  }

  #added(nowNs: number): void {
    const { count, text } = this.#lines;
    if (count > 0 && this.#firstLineNs === Number.POSITIVE_INFINITY) this.#firstLineNs = nowNs;
    if (text.length >= EXPORT_FLUSH_BYTES) this.#handOver();
  }

  /** Moves the lines into the writer's queue; a full queue drops and counts them. */
  #handOver(): void {
    const { count, text } = this.#lines;
    if (count === 0) return;
    this.#writer.append(text.view(), count);
    this.#lines.clear();
    this.#firstLineNs = Number.POSITIVE_INFINITY;
  }
}
