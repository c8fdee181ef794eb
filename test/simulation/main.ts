// `npm run simulate -- --seed N --steps M --agents K`: one deterministic run. Exit 0 with one
// summary line, or 1 with what was expected, what was found and the command that shows it again.
import { AGENTS_DEFAULT, STEPS_DEFAULT } from "./coverage.ts";
import { failureText, summaryLine } from "./report.ts";
import { PAGE_EVERY_DEFAULT, simulate } from "./simulation.ts";

const HELP = `Usage: bun test/simulation/main.ts [--seed N] [--runs R] [--steps M] [--agents K] [--page-every P]

  --seed N        first seed, default 1
  --runs R        runs with the seeds N, N+1, ...; default 1
  --steps M       steps of a run, default ${STEPS_DEFAULT}
  --agents K      agents, default ${AGENTS_DEFAULT}
  --page-every P  compare the metrics page after every P turns, default ${PAGE_EVERY_DEFAULT}
`;

interface Arguments {
  seed: number;
  runs: number;
  steps: number;
  agents: number;
  pageEvery: number;
}

function main(argv: readonly string[]): number {
  if (argv.includes("--help") || argv.includes("-h")) {
    process.stdout.write(HELP);
    return 0;
  }
  const wanted = parse(argv);
  if (typeof wanted === "string") {
    process.stderr.write(`simulate: error: ${wanted}\n${HELP}`);
    return 64;
  }
  let failures = 0;
  for (let seed = wanted.seed; seed < wanted.seed + wanted.runs; seed++) {
    if (!runOne(seed, wanted)) failures += 1;
  }
  return failures === 0 ? 0 : 1;
}

function runOne(seed: number, wanted: Arguments): boolean {
  const startMs = performance.now();
  const options = { ...wanted, seed };
  const result = simulate(options);
  const seconds = (performance.now() - startMs) / 1000;
  process.stdout.write(
    result.failure === undefined
      ? summaryLine(options, result, seconds)
      : failureText(options, result.failure),
  );
  return result.failure === undefined;
}

function parse(argv: readonly string[]): Arguments | string {
  const found: Arguments = {
    seed: 1,
    runs: 1,
    steps: STEPS_DEFAULT,
    agents: AGENTS_DEFAULT,
    pageEvery: PAGE_EVERY_DEFAULT,
  };
  const names: Readonly<Record<string, keyof Arguments>> = {
    "--seed": "seed",
    "--runs": "runs",
    "--steps": "steps",
    "--agents": "agents",
    "--page-every": "pageEvery",
  };
  for (let i = 0; i < argv.length; i += 2) {
    const key = names[argv[i]!];
    if (key === undefined) return `unknown option "${argv[i]}"`;
    const value = Number(argv[i + 1]);
    if (!Number.isSafeInteger(value) || value < (key === "seed" ? 0 : 1))
      return `${argv[i]} wants a whole number, found "${argv[i + 1] ?? ""}"`;
    found[key] = value;
  }
  return found;
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2));
