// Shows that the rows of the fault table can fail: a daemon with one mistake for each, compiled
// from a copy of the sources, under which its row must not be as required.
//   bun test/faults/mutants.ts [NAME...]
import { spawnSync } from "node:child_process";
import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compile } from "../../scripts/binary/compile.ts";
import { HOST_NAME, packageVersion, ROOT } from "../../scripts/binary/target.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

interface Mutant {
  /** Of the daemon: what it does wrong. */
  readonly name: string;
  readonly edits: readonly { readonly file: string; readonly from: string; readonly to: string }[];
  /** Rows that notice it. */
  readonly rows: readonly string[];
}

const BLIND_TO_PAUSES = {
  file: "src/observer/pause_watch.ts",
  from: "if (!(gapNs > this.gapNsMax)) return false;",
  to: "return false;",
};
const DEAF_TO_FULL_QUEUES = {
  file: "src/observer/pause_watch.ts",
  from: "if (this.gapNsMax !== Number.POSITIVE_INFINITY)",
  to: "if (false)",
};
const MONOTONIC = 'return source === "monotonic-raw" ? CLOCK_MONOTONIC_RAW : CLOCK_MONOTONIC;';

const MUTANTS: readonly Mutant[] = [
  {
    name: "pauses",
    edits: [BLIND_TO_PAUSES, DEAF_TO_FULL_QUEUES],
    // A queue of 512 holds a beat of each of 200 agents: only a short one needs what is gone here.
    rows: ["stop-3-queue-10", "stop-10-queue-10"],
  },
  {
    name: "forgives-too-much",
    edits: [
      {
        file: "src/observer/pause_watch.ts",
        from: "if (isFilled) this.#pauses.beginAnew(nowNs);",
        to: "this.#pauses.beginAnew(nowNs + 1e10);",
      },
      {
        file: "src/tracker/pauses.ts",
        from: "Math.min(thresholdNs, silentNs)",
        to: "silentNs",
      },
    ],
    rows: ["stop-3-queue-512", "stop-10-queue-512"],
  },
  {
    name: "wall-clock",
    edits: [{ file: "src/observer/system_clock.ts", from: MONOTONIC, to: "return 0;" }],
    rows: ["wall-clock-steps"],
  },
  {
    // Either mistake alone is made good by the other half.
    name: "sleep-is-silence",
    edits: [
      BLIND_TO_PAUSES,
      { file: "src/observer/system_clock.ts", from: MONOTONIC, to: "return CLOCK_BOOTTIME;" },
    ],
    rows: ["suspend"],
  },
  {
    name: "no-socket-watch",
    edits: [
      {
        file: "src/daemon/socket_watch.ts",
        from: "if (!state.socket.isInPlace())",
        to: "if (false)",
      },
    ],
    rows: ["removed-socket"],
  },
  {
    name: "waits-for-stderr",
    edits: [
      {
        file: "src/daemon/stream_writer.ts",
        from: "if (this.#room.wait(0) === 0) {",
        to: "if (this.#room.wait(100_000) === 0) {",
      },
    ],
    rows: ["blocked-stderr"],
  },
  {
    name: "keeps-connections",
    edits: [
      {
        file: "src/http/places.ts",
        from: "const fd = accepted < room.fdEnd ? accepted : lowered(accepted);",
        to: 'require("node:fs").openSync("/dev/null", "r"); const fd = accepted;',
      },
    ],
    rows: ["stuck-scraper"],
  },
  {
    name: "reload-leaks",
    edits: [
      {
        file: "src/daemon/reload/reloader.ts",
        from: "swap.run(nowNs);",
        to: 'swap.run(nowNs); require("node:fs").openSync("/dev/null", "r");',
      },
    ],
    rows: ["reload"],
  },
  {
    name: "drops-uncounted",
    edits: [
      {
        file: "src/files/file_writer.ts",
        from: "this.droppedLines = saturatingAdd(this.droppedLines, lineCount);",
        to: "",
      },
    ],
    rows: ["full-disk"],
  },
  {
    name: "keeps-no-socket",
    edits: [{ file: "src/systemd/fd_store.ts", from: '"FDSTORE=1"', to: '"FDSTORE=0"' }],
    rows: ["restart", "upgrade", "kill-9"],
  },
];

process.exit(await main(process.argv.slice(2)));

async function main(names: readonly string[]): Promise<number> {
  const unseen: string[] = [];
  const chosen = MUTANTS.filter(({ name }) => names.length === 0 || names.includes(name));
  for (const mutant of chosen) {
    using directory = new TemporaryDirectory();
    const program = await made(mutant, directory.path);
    for (const row of mutant.rows) {
      const isSeen = fails(row, program);
      process.stdout.write(
        `${mutant.name}: ${row} ${isSeen ? "fails, as it must" : "SEES NOTHING"}\n`,
      );
      if (!isSeen) unseen.push(`${mutant.name} by ${row}`);
    }
  }
  return unseen.length === 0 ? 0 : 1;
}

async function made({ name, edits }: Mutant, directory: string): Promise<string> {
  for (const part of ["src", "ffi", "scripts", "package.json", "tsconfig.json"])
    cpSync(join(ROOT, part), join(directory, part), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(directory, "node_modules"));
  for (const { file, from, to } of edits) {
    const text = readFileSync(join(directory, file), "utf8");
    if (!text.includes(from)) throw new Error(`${name}: ${file} has no "${from}"`);
    writeFileSync(join(directory, file), text.replace(from, to));
  }
  const outFile = join(directory, "varta-watch");
  await compile({
    root: directory,
    targetName: HOST_NAME,
    runtime: process.execPath,
    version: packageVersion(),
    commit: name,
    outFile,
  });
  return outFile;
}

/**
 * A row that could not be run has seen the mistake, too: a daemon under which no row gets to its
 * end is not as required.
 */
function fails(row: string, program: string): boolean {
  const argv = [join(import.meta.dir, "main.ts"), row];
  const env = { ...process.env, VARTA_TEST_PROGRAM: program };
  const { status, stdout } = spawnSync(process.execPath, argv, { env, encoding: "utf8" });
  for (const line of stdout.split("\n").slice(2, -5)) process.stdout.write(`  ${line}\n`);
  return status === 1 && / FAILS$/m.test(stdout);
}
