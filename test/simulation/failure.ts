// What a run throws when the daemon did something else than it must.

export class SimulationFailure extends Error {
  override readonly name = "SimulationFailure";
  readonly what: string;
  readonly expected: string;
  readonly found: string;

  constructor(what: string, expected: unknown, found: unknown) {
    super(`${what}: expected ${expected}, found ${found}`);
    this.what = what;
    this.expected = String(expected);
    this.found = String(found);
  }
}

/** Throws unless both are the same value; NaN equals NaN. */
export function same(what: string, expected: unknown, found: unknown): void {
  if (!Object.is(expected, found)) throw new SimulationFailure(what, expected, found);
}

/** Throws at the first item that differs. */
export function sameList(
  what: string,
  expected: readonly string[],
  found: readonly string[],
): void {
  const length = Math.max(expected.length, found.length);
  for (let i = 0; i < length; i++) {
    const position = `${what}, ${i + 1} of ${expected.length}`;
    if (expected[i] !== found[i])
      throw new SimulationFailure(position, expected[i] ?? "nothing", found[i] ?? "nothing");
  }
}
