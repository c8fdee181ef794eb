// Records that wait for the disk (spec 11 section 3): at most 256, so a disk that hangs costs a
// known amount of memory. What does not fit is dropped and counted, and the next record that fits
// says how many were lost before it.
import {
  AUDIT_RING_BYTES_MAX,
  AUDIT_RING_CRITICAL_LINES,
  AUDIT_RING_LINES,
  AUDIT_RING_WARN_LINES,
} from "../base/limits.ts";
import { AUDIT, type AuditCounters } from "./counters.ts";

export interface RingLine {
  readonly kind: string;
  /** The columns between seq and chain. */
  readonly fields: string;
  /** Records dropped since the line before this one. */
  readonly lostCount: number;
}

export type WatermarkLevel = "warn" | "critical";

/**
 * One level of fill: an edge is when it is reached, and the next one after the fill was
 * below it.
 */
class Watermark {
  readonly #lineCount: number;
  #above = false;

  constructor(lineCount: number) {
    this.#lineCount = lineCount;
  }

  /** True at a rising edge. */
  update(lineCount: number): boolean {
    const rises = lineCount >= this.#lineCount && !this.#above;
    this.#above = lineCount >= this.#lineCount;
    return rises;
  }
}

export class AuditRing {
  readonly #lines = new Array<RingLine | undefined>(AUDIT_RING_LINES).fill(undefined);
  readonly #watermarks: Readonly<Record<WatermarkLevel, Watermark>> = {
    warn: new Watermark(AUDIT_RING_WARN_LINES),
    critical: new Watermark(AUDIT_RING_CRITICAL_LINES),
  };
  readonly #counters: AuditCounters;
  readonly #onWatermark: (level: WatermarkLevel, lineCount: number) => void;
  #head = 0;
  #count = 0;
  #sizeBytes = 0;
  /** Since the last line that was accepted. */
  #lost = 0;

  constructor(
    counters: AuditCounters,
    onWatermark: (level: WatermarkLevel, lineCount: number) => void,
  ) {
    this.#counters = counters;
    this.#onWatermark = onWatermark;
  }

  /** Lines that wait. */
  get count(): number {
    return this.#count;
  }

  /** Adds a line, or drops and counts it. */
  push(kind: string, fields: string): void {
    this.#add({ kind, fields, lostCount: 0 });
  }

  /** Puts lines before those that wait; the youngest are dropped if there is no room for all. */
  putFirst(lines: readonly RingLine[]): void {
    const lostAtEnd = this.#lost;
    const all = [...lines, ...this.takeAll()];
    this.#lost = 0;
    for (const line of all) this.#add(line);
    this.#lost += lostAtEnd;
  }

  /** The lines that wait, which it forgets. */
  takeAll(): RingLine[] {
    const lines = Array.from({ length: this.#count }, (_, offset) => this.at(offset));
    this.consume(lines.length);
    return lines;
  }

  #add({ kind, fields, lostCount }: RingLine): void {
    const sizeBytes = this.#sizeBytes + fields.length;
    const isFull = this.#count === AUDIT_RING_LINES || sizeBytes > AUDIT_RING_BYTES_MAX;
    if (isFull) {
      this.#lost += 1 + lostCount;
      this.drop(1);
      return;
    }
    const index = (this.#head + this.#count) % AUDIT_RING_LINES;
    this.#lines[index] = { kind, fields, lostCount: this.#lost + lostCount };
    this.#lost = 0;
    this.#count += 1;
    this.#sizeBytes = sizeBytes;
    this.#updateWatermarks();
  }

  /** The line `offset` places after the oldest. */
  at(offset: number): RingLine {
    return this.#lines[(this.#head + offset) % AUDIT_RING_LINES]!;
  }

  /** Forgets the oldest `lineCount` lines. */
  consume(lineCount: number): void {
    for (let i = 0; i < lineCount; i++) {
      this.#sizeBytes -= this.at(0).fields.length;
      this.#lines[this.#head] = undefined;
      this.#head = (this.#head + 1) % AUDIT_RING_LINES;
    }
    this.#count -= lineCount;
    this.#updateWatermarks();
  }

  /** Counts records that will never be written. */
  drop(lineCount: number): void {
    this.#counters.add(AUDIT.dropped, lineCount);
  }

  #updateWatermarks(): void {
    const { warn, critical } = this.#watermarks;
    if (warn.update(this.#count)) this.#rose("warn");
    if (critical.update(this.#count)) this.#rose("critical");
  }

  #rose(level: WatermarkLevel): void {
    this.#counters.add(AUDIT.ringWatermark[level]);
    this.#onWatermark(level, this.#count);
  }
}
