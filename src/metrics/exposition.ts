// Renders the page in text format 0.0.4 or OpenMetrics 1.0.0 (spec 08 section 1): first every fixed family from one
// snapshot in one step, then the per-pid rows in resumable slices. All constant bytes of the page are made once, at
// construction; a render writes numbers between them.
import { type AnyBlock, type CounterSource, familiesOf } from "../base/counters.ts";
import { assert } from "../base/assert.ts";
import { TextBuffer } from "../base/text_buffer.ts";
import { REJECT_REASON_COUNT, REJECT_REASONS } from "../base/reject_reason.ts";
import type { DatagramAccounting } from "../events/accounting.ts";
import { FAMILIES, type Family } from "./catalogue.ts";
import {
  bytesOf,
  FamilySection,
  type Labels,
  type PageFormat,
  prefixOf,
} from "./family_section.ts";
import type { Histograms } from "./histograms.ts";
import { PidOrder } from "./pid_order.ts";
import type { PidRows } from "./pid_rows.ts";
import { histogramId, idOf, isStored } from "./series.ts";

export interface MetricsListener {
  readonly name: string;
  readonly kind: "unix" | "udp" | "secure-udp";
}

export interface BuildInfo {
  readonly version: string;
  readonly revision: string;
  readonly runtime: string;
  readonly target: string;
}

/** A block and the family that follows it on the page. */
export interface PlacedBlock {
  readonly before: string;
  readonly block: AnyBlock;
}

export interface ExpositionOptions {
  readonly blocks: readonly PlacedBlock[];
  readonly values: Float64Array;
  readonly histograms: Histograms;
  readonly accounting: DatagramAccounting;
  readonly rcvbufBytes: Float64Array;
  readonly kernelDrops: Float64Array;
  readonly queueFull: Float64Array;
  readonly filtered: Float64Array;
  readonly rows: PidRows;
  readonly listeners: readonly MetricsListener[];
  readonly build: BuildInfo;
  readonly perPid: () => boolean;
  /** Brings `values` up to now; called once per render. */
  readonly snapshot: (nowNs: number) => void;
}

/** Rows written between two looks at the clock: about 20 us. */
const ROWS_PER_STEP = 64;
/** Room of a page without agents; the buffers grow to the largest page and stay. */
const PAGE_BYTES = 64 * 1_024;
const ONE = Float64Array.of(1);

const IDLE = 0;
const ORDERING = 1;
const WRITING_ROWS = 2;
const FINISHED = 3;

/** One family of the page: its two headers and how its samples are written. */
interface Section {
  readonly family: Family;
  readonly textHead: Uint8Array;
  readonly openMetricsHead: Uint8Array;
  readonly samples: readonly Sample[];
  readonly histograms: readonly HistogramSeries[];
}

/** `prefix` is everything up to the number. */
interface Sample {
  readonly prefix: Uint8Array;
  readonly column: Float64Array;
  readonly index: number;
}

interface HistogramSeries {
  readonly histogram: number;
  readonly bucketPrefixes: readonly Uint8Array[];
  readonly sumPrefix: Uint8Array;
  readonly countPrefix: Uint8Array;
}

export class Exposition {
  readonly #options: ExpositionOptions;
  readonly #fixedSections: readonly (Section | FamilySection)[];
  readonly #ofBlock = new Map<AnyBlock, readonly FamilySection[]>();
  readonly #sources: CounterSource[] = [];
  readonly #pidSections: readonly Section[];
  readonly #pidPrefixes: readonly Uint8Array[];
  readonly #fixed = new TextBuffer(PAGE_BYTES);
  /** One buffer per per-pid family: a row is written into all of them at once. */
  readonly #pidTexts: readonly TextBuffer[];
  readonly #order: PidOrder;
  #state = IDLE;
  #nextPid = 0;

  constructor(options: ExpositionOptions) {
    this.#options = options;
    const isPid = (family: Family) => family.source === "pid";
    this.#pidSections = FAMILIES.filter(isPid).map((family) => section(family, options));
    for (const { block } of options.blocks)
      this.#ofBlock.set(
        block,
        familiesOf(block).map((family) => new FamilySection(family)),
      );
    this.#fixedSections = FAMILIES.filter((f) => !isPid(f)).flatMap((f) => [
      ...options.blocks
        .filter(({ before }) => before === f.name)
        .flatMap(({ block }) => this.#ofBlock.get(block)!)
        .filter(({ family }) => family.name !== ""),
      section(f, options),
    ]);
    this.#pidPrefixes = this.#pidSections.map(({ family }) => bytesOf(`${family.name}{pid="`));
    this.#pidTexts = this.#pidSections.map(() => new TextBuffer(PAGE_BYTES));
    this.#order = new PidOrder(options.rows);
  }

  /** Reads one more instance of a block; `labels` are what tells it from others. */
  show(source: CounterSource, labels: Labels = {}): void {
    const sections = this.#ofBlock.get(source.block);
    assert(sections !== undefined, "the page has every block that is counted in");
    for (const [family, one] of sections.entries()) one.show(source.columns[family]!, labels);
    this.#sources.push(source);
  }

  /** Takes the snapshot of a new page and writes everything but the per-pid rows. */
  begin(format: PageFormat, nowNs: number): void {
    this.#options.snapshot(nowNs);
    for (const source of this.#sources) source.refresh(nowNs);
    this.#fixed.clear();
    for (const one of this.#fixedSections) {
      if (one instanceof FamilySection) one.write(this.#fixed, format);
      else this.#writeSection(one, format);
    }
    if (format === "openmetrics") this.#fixed.ascii("# EOF\n");
    for (const text of this.#pidTexts) text.clear();
    if (!this.#options.perPid()) {
      this.#state = FINISHED;
      return;
    }
    for (const [i, one] of this.#pidSections.entries()) {
      this.#pidTexts[i]!.copy(headOf(one, format));
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

  #writeSection(one: Section, format: PageFormat): void {
    const text = this.#fixed;
    const { decimals } = one.family;
    const scale = 10 ** decimals;
    text.copy(headOf(one, format));
    for (const { prefix, column, index } of one.samples) {
      const value = column[index]!;
      if (Number.isNaN(value)) continue;
      text.copy(prefix);
      if (decimals === 0) text.decimal(value);
      else text.fixed(Math.round(value * scale), decimals);
      text.byte(LF);
    }
    for (const series of one.histograms) this.#writeHistogram(series);
  }

  #writeHistogram(series: HistogramSeries): void {
    const text = this.#fixed;
    const histograms = this.#options.histograms;
    let cumulative = 0;
    for (const [bucket, prefix] of series.bucketPrefixes.entries()) {
      cumulative += histograms.bucketCountAt(series.histogram, bucket);
      text.copy(prefix);
      text.decimal(cumulative);
      text.byte(LF);
    }
    text.copy(series.sumPrefix);
    text.fixed(histograms.sumNsAt(series.histogram), 9);
    text.byte(LF);
    text.copy(series.countPrefix);
    text.decimal(cumulative);
    text.byte(LF);
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

function headOf(one: Section, format: PageFormat): Uint8Array {
  return format === "text" ? one.textHead : one.openMetricsHead;
}

function section(family: Family, options: ExpositionOptions): Section {
  const { name, type, help } = family;
  // OpenMetrics names the family of a counter without the suffix of its samples.
  const familyName = type === "counter" ? name.replace(/_total$/, "") : name;
  return {
    family,
    textHead: bytesOf(`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`),
    openMetricsHead: bytesOf(`# HELP ${familyName} ${help}\n# TYPE ${familyName} ${type}\n`),
    samples: samplesOf(family, options),
    histograms: type === "histogram" ? histogramsOf(family) : [],
  };
}

function samplesOf(family: Family, options: ExpositionOptions): Sample[] {
  const { accounting, listeners, rcvbufBytes, kernelDrops, queueFull, filtered } = options;
  const { values, build } = options;
  if (family.type === "histogram" || family.source === "pid") return [];
  if (isStored(family)) {
    const labelled = family.values.length === 0 ? [""] : family.values;
    return labelled.map((value) => ({
      prefix: prefixOf(family.name, value === "" ? {} : { [family.label]: value }),
      column: values,
      index: idOf(family, value),
    }));
  }
  if (family.source === "build") {
    return [{ prefix: prefixOf(family.name, { ...build }), column: ONE, index: 0 }];
  }
  const samples: Sample[] = [];
  for (const [listener, { name, kind }] of listeners.entries()) {
    const prefix = prefixOf(family.name, { listener: name });
    if (family.source === "received") {
      samples.push({ prefix, column: accounting.received, index: listener });
    } else if (family.source === "accepted") {
      samples.push({ prefix, column: accounting.accepted, index: listener });
    } else if (family.source === "uds_rcvbuf") {
      if (kind === "unix") samples.push({ prefix, column: rcvbufBytes, index: listener });
    } else if (family.source === "udp_rcvbuf") {
      if (kind !== "unix") samples.push({ prefix, column: rcvbufBytes, index: listener });
    } else if (family.source === "udp_kernel_drops") {
      if (kind !== "unix") samples.push({ prefix, column: kernelDrops, index: listener });
    } else if (family.source === "queue_full") {
      if (kind === "unix") samples.push({ prefix, column: queueFull, index: listener });
    } else if (family.source === "filtered") {
      samples.push({ prefix, column: filtered, index: listener });
    } else {
      samples.push(...rejectedSamples(family, name, listener, accounting));
    }
  }
  return samples;
}

function rejectedSamples(
  family: Family,
  name: string,
  listener: number,
  accounting: DatagramAccounting,
): Sample[] {
  return REJECT_REASONS.map((reason, index) => ({
    prefix: prefixOf(family.name, { listener: name, reason }),
    column: accounting.rejected,
    index: listener * REJECT_REASON_COUNT + index,
  }));
}

function histogramsOf(family: Family): HistogramSeries[] {
  const labelled = family.values.length === 0 ? [""] : family.values;
  return labelled.map((value) => {
    const labels: Labels = value === "" ? {} : { [family.label]: value };
    return {
      histogram: histogramId(family.name, value),
      bucketPrefixes: [...family.bounds, "+Inf"].map((le) =>
        prefixOf(`${family.name}_bucket`, { ...labels, le }),
      ),
      sumPrefix: prefixOf(`${family.name}_sum`, labels),
      countPrefix: prefixOf(`${family.name}_count`, labels),
    };
  });
}
