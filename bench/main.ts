// The benchmarks: bun bench/main.ts [--quick] [PART...]. Each figure is printed with what is
// required of it. Exit code 0 whatever the figures say, 1 only if something could not run; without
// a C compiler the parts that need one are skipped.
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, release, tmpdir } from "node:os";
import { join } from "node:path";
import { measureFleet } from "./parts/fleet.ts";
import { measureIdle } from "./parts/idle.ts";
import { measureMemory } from "./parts/memory.ts";
import { measureNewcomers } from "./parts/newcomers.ts";
import { measureReceiverCpu } from "./parts/receiver_cpu.ts";
import { measureRecovery } from "./parts/recovery.ts";
import { measureState } from "./parts/state.ts";
import { measureStatus } from "./parts/status.ts";
import { measureStreams } from "./parts/streams.ts";
import { measureUserSpace } from "./parts/user_space.ts";
import { compileNative, type Native } from "./support/native.ts";
import { HAS_LONG_QUEUES } from "./support/receivers.ts";
import { Report } from "./support/report.ts";

interface Part {
  readonly title: string;
  readonly isSlow: boolean;
  readonly measure: (
    report: Report,
    native: Native | string,
    directory: string,
  ) => void | Promise<void>;
}

const PARTS: Readonly<Record<string, Part>> = {
  user: {
    title: "time per beat without the kernel, beside C",
    isSlow: false,
    measure: measureUserSpace,
  },
  receiver: {
    title: "CPU per beat of the whole daemon, beside a C receiver",
    isSlow: false,
    measure: needingC(measureReceiverCpu),
  },
  streams: {
    title: "1,000 stream connections at 10 Hz, beside a C receiver, and beside floods",
    isSlow: true,
    measure: needingC(measureStreams),
  },
  memory: {
    title: "resident memory (of which anonymous)",
    isSlow: false,
    measure: needingC(measureMemory),
  },
  idle: { title: "50 agents at 1 Hz", isSlow: true, measure: needingC(measureIdle) },
  recovery: {
    title: "from a stall to its running command, and the beats meanwhile",
    isSlow: true,
    measure: needingC(measureRecovery),
  },
  newcomers: {
    title: "10,000 members with 40 names and 12 thresholds come at once",
    isSlow: true,
    measure: needingC(measureNewcomers),
  },
  state: {
    title: "a start with 10,000 members in the state, and beats while 100,000 are written",
    isSlow: true,
    measure: needingC(measureState),
  },
  status: {
    title: "status of 10,000 members that beat at 1 Hz",
    isSlow: true,
    measure: needingC(measureStatus),
  },
  fleet: { title: "10,000 agents at 1 Hz", isSlow: true, measure: needingC(measureFleet) },
};

process.exit(await main(process.argv.slice(2)));

async function main(words: readonly string[]): Promise<number> {
  const isQuick = words.includes("--quick");
  const named = words.filter((word) => word !== "--quick");
  const unknown = named.find((word) => PARTS[word] === undefined);
  if (unknown !== undefined) {
    process.stderr.write(
      `bench: no part "${unknown}": ${Object.keys(PARTS).join(", ")}, --quick\n`,
    );
    return 1;
  }
  const chosen = Object.entries(PARTS).filter(([name, { isSlow }]) =>
    named.length > 0 ? named.includes(name) : !(isQuick && isSlow),
  );
  const directory = mkdtempSync(join(tmpdir(), "varta-bench-"));
  try {
    return await run(chosen, directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function run(parts: readonly [string, Part][], directory: string): Promise<number> {
  const report = new Report();
  const native = compileNative(directory);
  printGround(native);
  let exitCode = 0;
  for (const [name, { title, measure }] of parts) {
    report.begin(name, title);
    try {
      await measure(report, native, directory);
    } catch (error) {
      exitCode = 1;
      process.stdout.write(
        `  ${name} could not run: ${error instanceof Error ? error.message : error}\n`,
      );
    }
  }
  process.stdout.write(`\n${report.failed} requirement(s) not met\n`);
  return exitCode;
}

function printGround(native: Native | string): void {
  const lines = [
    `varta-watch benchmarks, ${new Date().toISOString()}`,
    `Linux ${release()}, ${cpus().length} x ${cpus()[0]?.model}, Bun ${Bun.version}`,
    typeof native === "string" ? `no native programs: ${native}` : native.compiler,
    ...(HAS_LONG_QUEUES
      ? []
      : ["not root: the datagram queues are as short as the system has them"]),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

function needingC(
  measure: (report: Report, native: Native, directory: string) => Promise<void>,
): Part["measure"] {
  return async (report, native, directory) => {
    if (typeof native === "string") report.skip(native);
    else await measure(report, native, directory);
  };
}
