// One fuzz run in a thread of its own, so that the main thread notices when a round does not come
// to an end.
import { fuzz } from "./fuzz.ts";
import { TARGETS } from "./targets.ts";

export interface FuzzJob {
  readonly name: string;
  readonly seed: number;
  readonly firstRound: number;
  /** Infinity = no limit. */
  readonly roundsMax: number;
  readonly seconds: number;
  /** Its only element is the round that is being played. */
  readonly progress: Int32Array<SharedArrayBuffer>;
}

export interface FuzzReport {
  readonly rounds: number;
  readonly failure: { readonly round: number; readonly what: string } | undefined;
  readonly counts: readonly (readonly [string, number])[];
}

declare const self: Worker;

// The target is disposed of before the report goes out: after it, the main thread ends this one.
self.onmessage = async ({ data }: MessageEvent<FuzzJob>) => {
  self.postMessage(await play(data));
};

async function play(job: FuzzJob): Promise<FuzzReport> {
  const { seed, firstRound, roundsMax, seconds, progress } = job;
  using target = TARGETS.get(job.name)!();
  const endMs = performance.now() + seconds * 1_000;
  const goOn = (round: number) => {
    Atomics.store(progress, 0, round);
    return round - firstRound < roundsMax && performance.now() < endMs;
  };
  const result = await fuzz(target, { seed, firstRound, goOn });
  return { ...result, counts: [...target.counts].toSorted() };
}
