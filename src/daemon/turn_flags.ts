// What a turn says when it is over: four bits, and above them the number of datagrams that it took.
// One number, because a turn of a quiet daemon takes beats and nothing else, and makes no object
// for it.

/**
 * The turn was not plain: it found something to do besides beats, or a second was over; all of its
 * stages ran.
 */
export const TURN_FULL = 1;
/** It reported or ended something: the runtime's own loop may have something to do for it. */
export const TURN_BUSY = 2;
/** It gave rows to the export, whose file may then have something due. */
export const TURN_EXPORTED = 4;
/** The next turn has work at once: the loop must not wait. */
export const TURN_HAS_WORK_LEFT = 8;

const COUNT_SHIFT = 4;

/** The number of datagrams as `datagramsOf()` finds it among the bits. */
export function countedDatagrams(count: number): number {
  return count << COUNT_SHIFT;
}

/** How many datagrams the turn took. */
export function datagramsOf(turn: number): number {
  return turn >>> COUNT_SHIFT;
}
