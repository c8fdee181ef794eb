// Renders the page in text format 0.0.4 or OpenMetrics 1.0.0 (spec 08 section 1): first every fixed
// family from one snapshot in one step, then the per-pid rows in resumable slices. All constant
// bytes of the page are made once, when a block or an instance of it is made known; a render writes
// numbers between them.
import { assert } from "../base/assert.ts";
import { type AnyBlock, type CounterSource, familiesOf } from "../base/counters.ts";
import { TextBuffer } from "../base/text_buffer.ts";
import { bytesOf, FamilySection, type Labels, type PageFormat } from "./family_section.ts";
import { PidOrder } from "./pid_order.ts";
import { PID_ROWS, type PidRows } from "./pid_rows.ts";

interface ExpositionOptions {
  /** In the order of the page. */
  readonly blocks: readonly AnyBlock[];
  readonly rows: PidRows;
  readonly perPid: () => boolean;
}

/** Rows written between two readings of the clock: about 20 us. */
const ROWS_PER_STEP = 64;
/** Room of a page without agents; the buffers grow to the largest page and stay. */
const PAGE_BYTES = 64 * 1_024;

const IDLE = 0;
const ORDERING = 1;
const WRITING_ROWS = 2;
const FINISHED = 3;

export class Exposition {
  readonly #options: ExpositionOptions;
  readonly #sections = new Map<AnyBlock, readonly FamilySection[]>();
  /** All but the per-pid ones. */
  readonly #fixedSections: readonly FamilySection[];
  readonly #pidSections: readonly FamilySection[];
  readonly #sources: CounterSource[] = [];
  readonly #pidPrefixes: readonly Uint8Array[];
  readonly #fixed = new TextBuffer(PAGE_BYTES);
  /** One buffer per per-pid family: a row is written into all of them at once. */
  readonly #pidTexts: readonly TextBuffer[];
  readonly #order: PidOrder;
  #state = IDLE;
  #nextPid = 0;

  constructor(options: ExpositionOptions) {
    this.#options = options;
    for (const block of options.blocks)
      this.#sections.set(
        block,
        familiesOf(block).map((family) => new FamilySection(family)),
      );
    this.#pidSections = this.#sections.get(PID_ROWS) ?? [];
    this.#fixedSections = [...this.#sections.values()]
      .flat()
      .filter(({ family }) => family.name !== "" && !familiesOf(PID_ROWS).includes(family));
    this.#pidPrefixes = this.#pidSections.map(({ family }) => bytesOf(`${family.name}{pid="`));
    this.#pidTexts = this.#pidSections.map(() => new TextBuffer(PAGE_BYTES));
    this.#order = new PidOrder(options.rows);
  }

  /** Reads one more instance of a block; `labels` are what tells it from others. */
  show(source: CounterSource, labels: Labels): void {
    const sections = this.#sections.get(source.block);
    assert(sections !== undefined, "the page has every block that is counted in");
    for (const [family, one] of sections.entries()) one.show(source.columns[family]!, labels);
    this.#sources.push(source);
  }

  /** Takes the snapshot of a new page and writes everything but the per-pid rows. */
  begin(format: PageFormat, nowNs: number): void {
    for (const source of this.#sources) source.refresh(nowNs);
    this.#fixed.clear();
    for (const one of this.#fixedSections) one.write(this.#fixed, format);
    if (format === "openmetrics") this.#fixed.ascii("# EOF\n");
    for (const text of this.#pidTexts) text.clear();
    if (!this.#options.perPid()) {
      this.#state = FINISHED;
      return;
    }
    for (const [i, one] of this.#pidSections.entries()) {
      one.writeHead(this.#pidTexts[i]!, format);
    }
    this.#order.begin();
    this.#nextPid = 0;
    this.#state = ORDERING;
  }

  /** Goes on with the page until it is finished (true) or `budgetNs` is used up (false). */
  step(budgetNs: number, nowNs: () => number): boolean {
    const endNs = nowNs() + budgetNs;
    while (this.#state !== FINISHED) {
      if (this.#state === ORDERING) {
        if (this.#order.step()) this.#state = WRITING_ROWS;
      } else {
        this.#writeRows();
        if (this.#nextPid >= this.#order.count) this.#state = FINISHED;
      }
      if (this.#state !== FINISHED && nowNs() >= endNs) return false;
    }
    return true;
  }

  /** The finished page in pieces, in place: valid until the next `begin`. */
  parts(): Uint8Array<ArrayBuffer>[] {
    return [...this.#pidTexts.map((text) => text.view()), this.#fixed.view()];
  }

  #writeRows(): void {
    const rows = this.#options.rows;
    const pids = this.#order.pids;
    const end = Math.min(this.#nextPid + ROWS_PER_STEP, this.#order.count);
    const [beats, stalls, statuses, lastBeats] = this.#pidTexts as PidTexts;
    for (let i = this.#nextPid; i < end; i++) {
      const pid = pids[i]!;
      const row = rows.find(pid);
      // Removed since the order was made.
      if (row < 0) continue;
      const name = rows.nameAt(row) ?? pid;
      writeSample(beats, this.#pidPrefixes[0]!, name, rows.beatsAt(row));
      writeSample(stalls, this.#pidPrefixes[1]!, name, rows.stallsAt(row));
      writeSample(statuses, this.#pidPrefixes[2]!, name, rows.statusAt(row));
      writePidLabel(lastBeats, this.#pidPrefixes[3]!, name);
      lastBeats.fixed(rows.lastBeatUnixMsAt(row), 3);
      lastBeats.byte(LF);
    }
    this.#nextPid = end;
  }
}

type PidTexts = readonly [TextBuffer, TextBuffer, TextBuffer, TextBuffer];

const LF = 0x0a;
const LABEL_END = bytesOf('"} ');

function writeSample(
  text: TextBuffer,
  prefix: Uint8Array,
  name: number | string,
  value: number,
): void {
  writePidLabel(text, prefix, name);
  text.decimal(value);
  text.byte(LF);
}

function writePidLabel(text: TextBuffer, prefix: Uint8Array, name: number | string): void {
  text.copy(prefix);
  if (typeof name === "number") text.decimal(name);
  else text.ascii(name);
  text.copy(LABEL_END);
}
