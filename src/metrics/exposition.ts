// Renders the page in text format 0.0.4 or OpenMetrics 1.0.0 (spec 08 section 1): first every fixed
// family from one snapshot in one step, then the rows of agents and pids in resumable slices. All
// constant bytes of the page are made once, when a block or an instance of it is made known; a
// render writes numbers between them.
import { assert } from "../base/assert.ts";
import { type AnyBlock, type CounterSource, familiesOf } from "../base/counters.ts";
import { TextBuffer } from "../base/text_buffer.ts";
import { AGENT_ROWS } from "./agent_families.ts";
import { FamilySection, type IsPossible, type Labels, type PageFormat } from "./family_section.ts";
import type { FamilyText, PageRows } from "./page_rows.ts";
import { PID_ROWS } from "./pid_rows.ts";

interface ExpositionOptions {
  /** In the order of the page. */
  readonly blocks: readonly AnyBlock[];
  /** What comes and goes, in the order of the page. */
  readonly rows: readonly PageRows[];
  /** Undefined = everything is there, whatever is configured. */
  readonly isPossible: IsPossible | undefined;
}

/** Room of a page without agents; the buffer grows to the largest page and stays. */
const PAGE_BYTES = 64 * 1_024;

export class Exposition {
  readonly #options: ExpositionOptions;
  readonly #sections = new Map<AnyBlock, readonly FamilySection[]>();
  /** All but those of rows. */
  readonly #fixedSections: readonly FamilySection[];
  #sources: CounterSource[] = [];
  readonly #fixed = new TextBuffer(PAGE_BYTES);
  readonly #texts: readonly TextBuffer[];
  /** Number of the rows that are written; all of them = the page is finished. */
  #writing: number;

  constructor(options: ExpositionOptions) {
    this.#options = options;
    for (const block of options.blocks)
      this.#sections.set(
        block,
        familiesOf(block).map((family) => new FamilySection(family, options.isPossible)),
      );
    const ofRows = [AGENT_ROWS, PID_ROWS].flatMap(familiesOf);
    this.#fixedSections = [...this.#sections.values()]
      .flat()
      .filter(({ family }) => family.name !== "" && !ofRows.includes(family));
    this.#texts = inOrder(options.rows.flatMap(({ texts }) => texts));
    this.#writing = options.rows.length;
  }

  /** Reads one more instance of a block; `labels` are what tells it from others. */
  show(source: CounterSource, labels: Labels): void {
    const sections = this.#sections.get(source.block);
    assert(sections !== undefined, "the page has every block that is counted in");
    for (const [family, one] of sections.entries()) one.show(source.columns[family]!, labels);
    this.#sources.push(source);
  }

  /** Reads an instance no more; what it said without a label of its own stays in the sum. */
  hide(source: CounterSource): void {
    const sections = this.#sections.get(source.block) ?? [];
    for (const [family, one] of sections.entries()) one.hide(source.columns[family]!);
    this.#sources = this.#sources.filter((other) => other !== source);
  }

  /** Takes the snapshot of a new page and writes everything but the rows. */
  begin(format: PageFormat, nowNs: number): void {
    for (const source of this.#sources) source.refresh(nowNs);
    this.#fixed.clear();
    for (const one of this.#fixedSections) one.write(this.#fixed, format);
    if (format === "openmetrics") this.#fixed.ascii("# EOF\n");
    for (const rows of this.#options.rows) rows.begin(format, nowNs);
    this.#writing = 0;
  }

  /** Goes on with the page until it is finished (true) or `budgetNs` is used up (false). */
  step(budgetNs: number, nowNs: () => number): boolean {
    const { rows } = this.#options;
    const endNs = nowNs() + budgetNs;
    while (this.#writing < rows.length) {
      if (rows[this.#writing]!.step()) this.#writing += 1;
      if (this.#writing < rows.length && nowNs() >= endNs) return false;
    }
    return true;
  }

  /** The finished page in pieces, in place: valid until the next `begin`. */
  parts(): Uint8Array<ArrayBuffer>[] {
    return [...this.#texts.map((text) => text.view()), this.#fixed.view()];
  }
}

/** All rows of a family are one group: what several write of one stands together. */
function inOrder(texts: readonly FamilyText[]): TextBuffer[] {
  const names = [...new Set(texts.map(({ name }) => name))];
  return names.flatMap((wanted) =>
    texts.filter(({ name }) => name === wanted).map(({ text }) => text),
  );
}
