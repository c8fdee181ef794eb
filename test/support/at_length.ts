// What a test does in `npm test`, where everybody waits for it, and what it does in
// `npm run test:long`, which runs every file that imports this one.

/** In numbers: how often the long runs are repeated, or their part. */
const TIMES = process.env["VARTA_TEST_LENGTH"];

export const AT_LENGTH: boolean = TIMES !== undefined;

/** How many rounds, steps or runs. */
export function atLength(quick: number, long: number): number {
  return TIMES === undefined ? quick : Math.ceil(long * Number(TIMES));
}

/** The rows of a table, of which `npm test` has the first alone. */
export function rowsAtLength<Row>(rows: readonly Row[], quickCount = 1): readonly Row[] {
  return AT_LENGTH ? rows : rows.slice(0, quickCount);
}
