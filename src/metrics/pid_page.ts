// Writes the per-pid rows (spec 08 section 3.1), in ascending order of the pids.
import { familiesOf } from "../base/counters.ts";
import { TextBuffer } from "../base/text_buffer.ts";
import { bytesOf, FamilySection, type PageFormat } from "./family_section.ts";
import type { FamilyText, PageRows } from "./page_rows.ts";
import { PidOrder } from "./pid_order.ts";
import { PID_ROWS, type PidRows } from "./pid_rows.ts";

/** Rows written between two readings of the clock: about 20 us. */
const ROWS_PER_STEP = 64;
/** Room of a page with some hundred rows; the buffers grow to the largest page and stay. */
const TEXT_BYTES = 64 * 1_024;

export class PidPage implements PageRows {
  readonly #rows: PidRows;
  readonly #sections = familiesOf(PID_ROWS).map((family) => new FamilySection(family));
  readonly #prefixes = familiesOf(PID_ROWS).map(({ name }) => bytesOf(`${name}{pid="`));
  readonly texts: readonly FamilyText[];
  readonly #buffers: PidTexts = [makeText(), makeText(), makeText(), makeText()];
  /** Families that others have the head of: agents have rows in them, too. */
  readonly #headless: readonly string[];
  readonly #order: PidOrder;
  #isOrdering = false;
  #next = 0;

  constructor(rows: PidRows, headless: readonly string[]) {
    this.#rows = rows;
    this.#headless = headless;
    this.texts = familiesOf(PID_ROWS).map(({ name }, i) => ({ name, text: this.#buffers[i]! }));
    this.#order = new PidOrder(rows);
  }

  begin(format: PageFormat): void {
    for (const [i, { name, text }] of this.texts.entries()) {
      text.clear();
      if (!this.#headless.includes(name)) this.#sections[i]!.writeHead(text, format);
    }
    this.#order.begin();
    this.#next = 0;
    this.#isOrdering = true;
  }

  step(): boolean {
    if (this.#isOrdering) {
      this.#isOrdering = !this.#order.step();
      return false;
    }
    this.#writeRows();
    return this.#next >= this.#order.count;
  }

  #writeRows(): void {
    const rows = this.#rows;
    const pids = this.#order.pids;
    const end = Math.min(this.#next + ROWS_PER_STEP, this.#order.count);
    const [beats, stalls, statuses, lastBeats] = this.#buffers;
    for (let i = this.#next; i < end; i++) {
      const pid = pids[i]!;
      const row = rows.find(pid);
      // Removed since the order was made.
      if (row < 0) continue;
      const name = rows.nameAt(row) ?? pid;
      writeSample(beats, this.#prefixes[0]!, name, rows.beatsAt(row));
      writeSample(stalls, this.#prefixes[1]!, name, rows.stallsAt(row));
      writeSample(statuses, this.#prefixes[2]!, name, rows.statusAt(row));
      writePidLabel(lastBeats, this.#prefixes[3]!, name);
      lastBeats.fixed(rows.lastBeatUnixMsAt(row), 3);
      lastBeats.byte(LF);
    }
    this.#next = end;
  }
}

function makeText(): TextBuffer {
  return new TextBuffer(TEXT_BYTES);
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
