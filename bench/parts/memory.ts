// Resident memory: idle, with 10,000 tracked agents, and after their page was scraped. Measured
// with the compiled program, which is what is shipped, and from source.
import { join } from "node:path";
import { prepareLoad } from "../support/load.ts";
import type { Native } from "../support/native.ts";
import { type Memory, memoryOf } from "../support/process_cost.ts";
import { FROM_SOURCE, metric, startDaemon } from "../support/receivers.ts";
import type { Report } from "../support/report.ts";

const AGENTS = 10_000;
const RESIDENT_MIB_MAX = 60;
const MAIN = join(import.meta.dir, "..", "..", "src", "main.ts");
/** The garbage of ten thousand first beats is collected some seconds later. */
const SETTLE_S = 15;
const SCRAPES = 5;
const LOAD = { agents: AGENTS, rate: AGENTS, seconds: 40, burst: 32 };
const OPTIONS = ["--tracker-capacity", String(AGENTS), "--threshold-ms", "60000"];

export async function measureMemory(
  report: Report,
  native: Native,
  directory: string,
): Promise<void> {
  const binary = compileProgram(directory);
  if (typeof binary === "string") await measure(report, native, [binary], "compiled", true);
  else report.skip("the compiled program: it could not be built");
  await measure(report, native, FROM_SOURCE, "from source", false);
}

function compileProgram(directory: string): string | undefined {
  const outfile = join(directory, "varta-watch");
  const flags = ["--compile", "--minify", "--bytecode", "--format=esm"];
  const autoload = ["--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"];
  const command = [process.execPath, "build", ...flags, ...autoload, MAIN, "--outfile", outfile];
  return Bun.spawnSync(command, { stdout: "ignore", stderr: "ignore" }).success
    ? outfile
    : undefined;
}

async function measure(
  report: Report,
  native: Native,
  command: readonly string[],
  title: string,
  isShipped: boolean,
): Promise<void> {
  await using daemon = await startDaemon(command, OPTIONS);
  await Bun.sleep(1_000);
  report.add({ what: `${title}: idle`, value: text(memoryOf(daemon.pid)) });
  await using load = await prepareLoad(native.flood, daemon.socket, LOAD);
  void load.run();
  await Bun.sleep(SETTLE_S * 1_000);
  const tracking = memoryOf(daemon.pid);
  report.add({
    what: `${title}: 10,000 agents`,
    value: text(tracking),
    ...(isShipped && limit(tracking)),
  });
  for (let scrape = 0; scrape < SCRAPES; scrape++) {
    const tracked = metric(await daemon.scrape(), "varta_watch_pids_tracked");
    if (tracked !== AGENTS) throw new Error(`The daemon tracks ${tracked} of ${AGENTS} agents`);
    await Bun.sleep(1_100);
  }
  const scraped = memoryOf(daemon.pid);
  report.add({
    what: `${title}: after scrapes of all of them`,
    value: text(scraped),
    ...(isShipped && limit(scraped)),
  });
}

function limit({ residentMib }: Memory) {
  return {
    required: `below ${RESIDENT_MIB_MAX} MiB`,
    holds: residentMib < RESIDENT_MIB_MAX,
  };
}

function text({ residentMib, anonymousMib }: Memory): string {
  return `${residentMib.toFixed(1)} MiB (${anonymousMib.toFixed(1)})`;
}
