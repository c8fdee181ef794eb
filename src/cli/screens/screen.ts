// What a screen needs to know of the place where it is read. Screens are pure: a view and this in,
// text out, every line with its end.
import type { Zone } from "./times.ts";

export interface Screen {
  /** Cells of a line. */
  readonly width: number;
  readonly colour: boolean;
  /** Signs of ASCII only. */
  readonly ascii: boolean;
  readonly zone: Zone;
}

/** From here on a table has its widest layout, and below NARROW its narrowest. */
export const WIDE_CELLS = 110;
export const NARROW_CELLS = 72;
