// What the two export formats share: the interface that writes a line into a byte buffer (spec 09).
// Numbers and words are written without strings; only the rare error text is one.
import type { TextBuffer } from "../base/text_buffer.ts";
import type { EventBatch } from "../events/event_batch.ts";
import type { MemberExit, MemberGone } from "../events/member_end.ts";
import type { Stall } from "../events/stall.ts";

export interface LineFormat {
  row(text: TextBuffer, batch: EventBatch, row: number): void;
  stall(text: TextBuffer, stall: Stall): void;
  eviction(text: TextBuffer, eviction: Evicted): void;
  exit(text: TextBuffer, exit: MemberExit): void;
  gone(text: TextBuffer, gone: MemberGone): void;
}

/** A pid that the tracker has removed. */
export interface Evicted {
  readonly pid: number;
  /** "" unless another source has the pid. */
  readonly source: string;
  readonly observerNs: number;
}
