// A deterministic simulation of the daemon: from one seed, lives of the real turn on a simulated
// clock with simulated sockets, processes and children, each compared with its model after every
// turn. The same seed does the same.
import { AGENTS_DEFAULT, Coverage, REQUIRED, STEPS_DEFAULT } from "./coverage.ts";
import { SimulationFailure } from "./failure.ts";
import { Life } from "./life.ts";
import { Random } from "./random.ts";
import { scenarioOf } from "./scenario.ts";
import { REAL_PARTS, type Seams } from "./seams.ts";
import { TraceHash } from "./trace_hash.ts";
import { World } from "./world.ts";

export interface SimulationOptions {
  readonly seed: number;
  readonly steps: number;
  readonly agents: number;
  /** The metrics page is compared after every so many turns; it costs more than a turn. */
  readonly pageEvery?: number;
  /** Lives that are left out: 2 begins with settings at random, where tables are small. */
  readonly livesSkipped?: number;
  /** Faulty parts, for tests of the simulation itself. */
  readonly seams?: Partial<Seams>;
}

export interface SimulationResult {
  readonly hash: string;
  readonly lives: number;
  readonly coverage: Coverage;
  readonly failure: FailureReport | undefined;
}

export interface FailureReport {
  readonly step: number;
  readonly life: number;
  readonly observerNs: number;
  readonly what: string;
  readonly expected: string;
  readonly found: string;
  /** Where it was noticed. */
  readonly stack: string;
}

export const PAGE_EVERY_DEFAULT = 16;

export function simulate(options: SimulationOptions): SimulationResult {
  const { seed, steps, agents, pageEvery = PAGE_EVERY_DEFAULT, livesSkipped = 0 } = options;
  const seams: Seams = { ...REAL_PARTS, ...options.seams };
  const random = new Random(seed);
  const trace = new TraceHash();
  const coverage = new Coverage();
  const world = new World({ random, agentCount: agents, trace, coverage });
  let lives = 0;
  let step = 0;
  let life: Life | undefined;
  try {
    while (step < steps) {
      const scenario = scenarioOf(lives + livesSkipped, random, agents);
      lives += 1;
      world.beginLife(scenario);
      life = new Life({ world, seams, pageEvery });
      for (let i = 0; i < scenario.steps && step < steps; i++) {
        step += 1;
        life.step();
      }
      life.end();
    }
    checkCoverage(options, coverage);
  } catch (error) {
    const failure = reportOf(error, { step, life: lives, observerNs: life?.nowNs ?? 0 });
    return { hash: trace.digest(), lives, coverage, failure };
  }
  return { hash: trace.digest(), lives, coverage, failure: undefined };
}

/** A small run proves what it proves; one of the default size must have seen everything. */
function checkCoverage({ steps, agents }: SimulationOptions, coverage: Coverage): void {
  if (steps < STEPS_DEFAULT || agents < AGENTS_DEFAULT) return;
  const missing = coverage.missing(REQUIRED);
  if (missing.length > 0)
    throw new SimulationFailure("coverage", "every kind of event", `none of ${missing.join(", ")}`);
}

function reportOf(
  error: unknown,
  at: Pick<FailureReport, "step" | "life" | "observerNs">,
): FailureReport {
  if (error instanceof SimulationFailure) {
    const { what, expected, found, stack = "" } = error;
    return { ...at, what, expected, found, stack };
  }
  if (error instanceof Error) {
    const { message, stack = "" } = error;
    return { ...at, what: "the daemon threw", expected: "no error", found: message, stack };
  }
  throw error;
}
