// The delays of beats that the probe in the daemon has counted (probed_daemon.ts).
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { DaemonUnderTest } from "./receivers.ts";

export class Delays {
  readonly #counts: readonly (readonly [number, number])[];
  readonly total: number;

  constructor(counts: readonly (readonly [us: number, count: number])[]) {
    this.#counts = counts;
    this.total = counts.reduce((sum, [, count]) => sum + count, 0);
  }

  /** Those of at most `us` microseconds. */
  upTo(us: number): Delays {
    return new Delays(this.#counts.filter(([delayUs]) => delayUs <= us));
  }

  /** The delay that `part` of the beats do not exceed, in microseconds. */
  atPart(part: number): number {
    let seen = 0;
    for (const [us, count] of this.#counts) {
      seen += count;
      if (seen >= this.total * part) return us;
    }
    return Number.NaN;
  }
}

/** Delays since the last call. */
export async function delaysOf(daemon: DaemonUnderTest): Promise<Delays> {
  return new Delays((await probedBy(daemon)) as [us: number, count: number][]);
}

/** What the probe in the daemon writes when it is asked. */
export async function probedBy({ pid, directory }: DaemonUnderTest): Promise<unknown> {
  const path = join(directory, "delays.json");
  rmSync(path, { force: true });
  process.kill(pid, "SIGUSR2");
  while (!existsSync(path)) await Bun.sleep(10);
  return JSON.parse(readFileSync(path, "utf8"));
}
