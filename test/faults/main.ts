// The fault table: bun test/faults/main.ts [--quick] [ROW...]. A real daemon, compiled, and real
// agents; one fault for each row; what the daemon testifies is compared with what the harness knows
// (test/README.md). Exit code 1 if a row is not zero and not within its stated bound, or could not
// run; a fault that cannot be made here is left out, in words.
import { cpus, release } from "node:os";
import { crewProgram } from "../support/crew.ts";
import { endLeftovers } from "../support/daemon_process.ts";
import { Pauses } from "../support/pauses.ts";
import { CannotMake, type FaultRow } from "./row.ts";
import { FAULT_ROWS } from "./rows.ts";
import { THRESHOLD_MS } from "./scene.ts";
import { headLine, isAsRequired, type RowResult, rowLines } from "./table.ts";

/**
 * A machine that keeps every process waiting for so long says nothing about the daemon: its agents
 * are silent, too.
 */
const MACHINE_PAUSE_MS_MAX = THRESHOLD_MS / 4;
const ATTEMPTS_MAX = 3;
/** Rows at a time, in a quick run. */
const SIDE_BY_SIDE = 2;
/** No row begins later than that: the whole table takes 12 minutes at most, a quick one 3. */
const BEGIN_S_MAX = 560;
const BEGIN_S_MAX_QUICK = 165;

const NO_CREW = crewProgram === undefined ? "agents need a C compiler (cc)" : undefined;

// A daemon that is stopped would stay so for ever.
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => {
    endLeftovers();
    process.exit(1);
  });

process.exit(await main(process.argv.slice(2)));

async function main(words: readonly string[]): Promise<number> {
  const isQuick = words.includes("--quick");
  const named = words.filter((word) => word !== "--quick");
  const unknown = named.find((word) => FAULT_ROWS.every(({ name }) => name !== word));
  if (unknown !== undefined) {
    const names = FAULT_ROWS.map(({ name }) => name).join(", ");
    process.stderr.write(`faults: no row "${unknown}": ${names}, --quick\n`);
    return 1;
  }
  const chosen = FAULT_ROWS.filter(({ name, isQuick: isInQuick }) =>
    named.length > 0 ? named.includes(name) : isInQuick || !isQuick,
  );
  try {
    return await run(chosen, isQuick);
  } finally {
    endLeftovers();
  }
}

async function run(rows: readonly FaultRow[], isQuick: boolean): Promise<number> {
  const startedMs = performance.now();
  const passedS = () => (performance.now() - startedMs) / 1_000;
  const beginSMax = isQuick ? BEGIN_S_MAX_QUICK : BEGIN_S_MAX;
  print(`varta-watch faults, Linux ${release()}, ${cpus().length} processors`);
  print(headLine());
  const failed: string[] = [];
  let skipped = 0;
  const take = async (row: FaultRow): Promise<void> => {
    const isLate = passedS() > beginSMax;
    const result: RowResult = isLate
      ? { kind: "skipped", why: `this machine is too slow: ${beginSMax} s are over` }
      : await resultOf(row, isQuick, () => passedS() < beginSMax);
    for (const line of rowLines(row.name, row.load, result)) print(line);
    if (!isAsRequired(result)) failed.push(row.name);
    if (result.kind === "skipped") skipped += 1;
  };
  // Most of a row is waiting.
  const width = isQuick ? SIDE_BY_SIDE : 1;
  const shared = rows.filter(({ isAlone }) => isAlone !== true).values();
  const takeAll = async (): Promise<void> => {
    for (const row of shared) await take(row);
  };
  await Promise.all(Array.from({ length: width }, takeAll));
  for (const row of rows) if (row.isAlone === true) await take(row);
  const verdict = failed.length === 0 ? "all as required" : `not as required: ${failed.join(", ")}`;
  print(`${rows.length} rows in ${Math.round(passedS())} s, ${verdict}`);
  // In the form of "bun test", which .ci/run adds up.
  print(` ${rows.length - skipped - failed.length} pass\n ${skipped} skip\n ${failed.length} fail`);
  return failed.length === 0 ? 0 : 1;
}

/**
 * A row that fails while the machine itself stood still is run once more; it may say nothing. In a
 * quick run, whose machine is anybody's and busy, every row that fails is: only one that fails each
 * time does, and one that there is no time to repeat says nothing.
 */
async function resultOf(
  row: FaultRow,
  isQuick: boolean,
  hasTime: () => boolean,
): Promise<RowResult> {
  const whyNot = NO_CREW ?? row.whyNot;
  if (whyNot !== undefined) return { kind: "skipped", why: whyNot };
  for (let left = ATTEMPTS_MAX - 1; ; left--) {
    await using pauses = new Pauses();
    const result = await attempt(row, isQuick);
    if (isAsRequired(result)) return result;
    // A row that breaks at once ends before the probe has begun.
    const pauseMs = Math.round(await pauses.longestMs().catch(() => 0));
    const hasStood = pauseMs > MACHINE_PAUSE_MS_MAX;
    if (!hasStood && (left === 0 || !isQuick)) return result;
    const stood = hasStood ? `the machine stood still for ${pauseMs} ms in that` : "";
    for (const line of rowLines(row.name, row.load, result)) print(line);
    if (left === 0) return { kind: "skipped", why: `${stood}, too` };
    if (!hasTime())
      return { kind: "skipped", why: stood || "this machine is too slow to run it once more" };
    print(`    ${stood || "a quick run fails a row that fails each time"}: once more`);
  }
}

async function attempt(row: FaultRow, isQuick: boolean): Promise<RowResult> {
  try {
    const outcome = await row.run(isQuick);
    return { kind: "ran", outcome, bounds: { ...row.bounds?.(isQuick), ...outcome.bounds } };
  } catch (error) {
    if (error instanceof CannotMake) return { kind: "skipped", why: error.message };
    return { kind: "broken", why: error instanceof Error ? error.message : String(error) };
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
