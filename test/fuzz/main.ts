// `npm run fuzz -- TARGET --seconds N [--seed N] [--round R]`: exit 0 with one summary line, or 1
// with what went wrong and the command that shows it again. --round plays one round alone, --rounds
// as many as it says, however long they take.
import { replayCommand, SEEDS } from "./fuzz.ts";
import { TARGETS } from "./targets.ts";
import type { FuzzJob, FuzzReport } from "./worker.ts";

const HELP = `Usage: npm run fuzz -- ${[...TARGETS.keys()].join("|")} [--seconds N | --rounds N] [--seed N] [--round R]

  --seconds N  how long, default 10
  --rounds N   how many rounds instead, which is the same on every machine
  --seed N     0..${SEEDS - 1}, default random; it is printed
  --round R    play this round alone
`;
/** No round takes a tenth of a second; one that takes this long hangs. */
const HANGS_MS = 20_000;
const LOOK_MS = 100;

interface Arguments {
  readonly name: string;
  readonly seconds: number;
  /** Instead of the seconds. */
  readonly rounds: number | undefined;
  readonly seed: number;
  readonly round: number | undefined;
}

async function main(argv: readonly string[]): Promise<number> {
  if (argv.includes("--help") || argv.includes("-h")) {
    process.stdout.write(HELP);
    return 0;
  }
  const wanted = parse(argv);
  if (typeof wanted === "string") {
    process.stderr.write(`fuzz: error: ${wanted}\n${HELP}`);
    return 64;
  }
  const { name, seed } = wanted;
  process.stdout.write(`fuzz: ${name} seed=${seed}\n`);
  const report = await run(wanted);
  process.stdout.write(reportText(name, seed, report));
  return report.failure === undefined ? 0 : 1;
}

/** One line if all went well, else also what went wrong and how to see it again. */
export function reportText(name: string, seed: number, report: FuzzReport): string {
  const { rounds, failure, counts } = report;
  const end = failure === undefined ? "ok" : "FAILED";
  const seen = counts.map(([what, times]) => ` ${what}=${times}`).join("");
  const line = `fuzz: ${end} ${name} seed=${seed} rounds=${rounds}${seen}\n`;
  if (failure === undefined) return line;
  return `${line}${failure.what}\nreplay: ${replayCommand(name, seed, failure.round)}\n`;
}

async function run({ name, seed, seconds, rounds, round }: Arguments): Promise<FuzzReport> {
  const roundsMax = round === undefined ? rounds : 1;
  const progress = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL("./worker.ts", import.meta.url).href);
  const job: FuzzJob = {
    name,
    seed,
    firstRound: round ?? 0,
    roundsMax: roundsMax ?? Number.POSITIVE_INFINITY,
    seconds: roundsMax === undefined ? seconds : Number.POSITIVE_INFINITY,
    progress,
  };
  const { promise, resolve } = Promise.withResolvers<FuzzReport>();
  const failed = (what: string) => {
    const at = Atomics.load(progress, 0);
    resolve({ rounds: at - job.firstRound, failure: { round: at, what }, counts: [] });
  };
  worker.onmessage = ({ data }: MessageEvent<FuzzReport>) => resolve(data);
  worker.onerror = ({ message }) => failed(message);
  worker.postMessage(job);
  let seen = -1;
  let seenMs = performance.now();
  const look = setInterval(() => {
    const now = Atomics.load(progress, 0);
    if (now !== seen) [seen, seenMs] = [now, performance.now()];
    else if (performance.now() - seenMs > HANGS_MS)
      failed(`a round takes more than ${HANGS_MS} ms`);
  }, LOOK_MS);
  const report = await promise;
  clearInterval(look);
  worker.terminate();
  return report;
}

/** The arguments, or what is wrong with them. */
export function parse(argv: readonly string[]): Arguments | string {
  const [name = "", ...options] = argv;
  if (!TARGETS.has(name)) return `unknown target "${name}"`;
  const found = new Map<string, number>();
  for (let i = 0; i < options.length; i += 2) {
    const [option, text = ""] = options.slice(i, i + 2) as [string, string?];
    if (!["--seconds", "--rounds", "--seed", "--round"].includes(option))
      return `unknown option "${option}"`;
    const value = text === "" ? Number.NaN : Number(text);
    const isWhole = Number.isInteger(value) && value < SEEDS;
    if (!(value >= 0) || (option !== "--seconds" && !isWhole))
      return `${option} wants a number, found "${text}"`;
    found.set(option, value);
  }
  const random = crypto.getRandomValues(new Uint32Array(1))[0]! % SEEDS;
  return {
    name,
    seconds: found.get("--seconds") ?? 10,
    rounds: found.get("--rounds"),
    seed: found.get("--seed") ?? random,
    round: found.get("--round"),
  };
}

if (import.meta.main) process.exit(await main(process.argv.slice(2)));
