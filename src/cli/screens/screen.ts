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

/** What goes to each stream, and with which status the command ends. */
export interface Outcome {
  readonly stdout: string;
  readonly error: string;
  readonly hint: string;
  readonly exitCode: number;
}

/** From here on a table has its widest layout, and below NARROW its narrowest. */
export const WIDE_CELLS = 110;
export const NARROW_CELLS = 72;

const NAME_CELLS = 14;
const WIDE_NAME_CELLS = 40;

/** Cells that names have at most in a list where they are all that can be cut. */
export function nameCellsMax({ width }: Screen): number {
  return width < WIDE_CELLS ? NAME_CELLS : WIDE_NAME_CELLS;
}
