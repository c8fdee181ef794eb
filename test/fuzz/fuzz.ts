// The frame of every fuzz target: rounds that are decided by a seed and a number alone, so that any
// of them can be played again without those before it. A round throws when it found something
// wrong.
import { Random } from "../simulation/random.ts";

export interface FuzzTarget extends Disposable {
  /** Everything random comes from `random`; nothing is kept from one round to the next. */
  round(random: Random): void | Promise<void>;
  /** How often each thing happened: a fuzzer that reaches nothing finds nothing. */
  readonly counts: Map<string, number>;
}

export interface FuzzOptions {
  readonly seed: number;
  readonly firstRound: number;
  /** Ends before the round for which it gives false. */
  readonly goOn: (round: number) => boolean;
}

export interface FuzzResult {
  readonly rounds: number;
  readonly failure: { readonly round: number; readonly what: string } | undefined;
}

/** Seeds are below this, and so are rounds: both fit into the seed of a round. */
export const SEEDS = 2 ** 26;

export async function fuzz(target: FuzzTarget, options: FuzzOptions): Promise<FuzzResult> {
  const { seed, firstRound, goOn } = options;
  let round = firstRound;
  for (; round < SEEDS && goOn(round); round++) {
    try {
      await target.round(new Random(seed * SEEDS + round));
    } catch (error) {
      const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
      return { rounds: round - firstRound, failure: { round, what } };
    }
  }
  return { rounds: round - firstRound, failure: undefined };
}

export function count(target: Pick<FuzzTarget, "counts">, name: string): void {
  target.counts.set(name, (target.counts.get(name) ?? 0) + 1);
}

/** Throws if the two differ, with both and with their input. */
export function same(what: string, found: unknown, wanted: unknown): void {
  const [a, b] = [Bun.inspect(found), Bun.inspect(wanted)];
  if (a !== b) throw new Error(`${what}\n  found: ${a}\n  want:  ${b}`);
}

export function replayCommand(name: string, seed: number, round: number): string {
  return `npm run fuzz -- ${name} --seed ${seed} --round ${round}`;
}
