// The words of a run: one line when all is well, else what was expected, what was found and how to
// see it again.
import type { FailureReport, SimulationOptions, SimulationResult } from "./simulation.ts";

export function summaryLine(
  { seed, steps, agents }: SimulationOptions,
  { hash, lives, coverage }: SimulationResult,
  seconds: number,
): string {
  const counts = [...coverage.counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([kind, count]) => `${kind}=${count}`);
  const rate = Math.round(steps / seconds);
  const head = `simulate: ok seed=${seed} steps=${steps} agents=${agents} lives=${lives}`;
  return `${head} trace=${hash} ${seconds.toFixed(1)}s (${rate} steps/s) ${counts.join(" ")}\n`;
}

export function failureText(
  { seed, steps, agents }: SimulationOptions,
  { step, life, observerNs, what, expected, found, stack }: FailureReport,
): string {
  // A failure of coverage belongs to the whole run; any other is there as soon as its step is
  // reached.
  const replaySteps = what === "coverage" ? steps : step;
  return `simulate: FAILED seed=${seed} step=${step} (life ${life}, observer time ${observerNs} ns)
  what:     ${what}
  expected: ${expected}
  found:    ${found}
  replay:   bun test/simulation/main.ts --seed ${seed} --steps ${replaySteps} --agents ${agents} --page-every 1
${stack}
`;
}
