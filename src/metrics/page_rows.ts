// What the page has of things that come and go: families whose rows are written anew for each page,
// in steps of bounded work. Each family has a buffer of its own, since a row is written into all of
// them at once.
import type { PageFormat } from "./family_section.ts";
import type { TextBuffer } from "../base/text_buffer.ts";

export interface PageRows {
  /** Begins a page; `nowNs` is its time. */
  begin(format: PageFormat, nowNs: number): void;
  /** Does a small piece of work; true = all rows are written. */
  step(): boolean;
  /** By family: its name, and its text. */
  readonly texts: readonly FamilyText[];
}

export interface FamilyText {
  readonly name: string;
  readonly text: TextBuffer;
}
