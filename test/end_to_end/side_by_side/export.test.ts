// The export of the real daemon with real agents that stall and come back, exit, end cleanly and
// call themselves whatever they like, through a restart (spec 09). Strict readers take every line.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { IS_LINUX } from "../../../ffi/constants.ts";
import { VERSION } from "../../../src/base/build_info.ts";
import { parsePage, sampleAt } from "../../metrics/page.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { type ExportLine, readJsonl, readTsv } from "../../support/export_lines.ts";
import { MortalAgents } from "../../support/mortal_agents.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

/** A program may be called so: 15 bytes are all that the kernel keeps of it. */
const HOSTILE = 'a"b\n=\t{p}\x1b[J;$';
const CALLED = "a%22b%0A%3D%09%7Bp%7D%1B%5BJ%3B%24";

function config(format: string): string {
  return `state = "off"
[observer]
threshold = "2s"
[recovery]
verify_within = "5s"
command = ["sh", "-c", "kill -CONT $VARTA_PID 2>/dev/null || true"]
[audit]
file = "AUDIT"
[export]
format = "${format}"
`;
}

/** Two lives of a daemon in one directory; what happens in each is the same. */
async function lives(format: "jsonl" | "tsv", directory: TemporaryDirectory): Promise<number[]> {
  const pids: number[] = [];
  const runtime = directory.at(HOSTILE);
  symlinkSync(process.execPath, runtime);
  for (let life = 0; life < 2; life++) {
    await using daemon = await DaemonProcess.start({
      directory: directory.path,
      config: config(format).replace("AUDIT", directory.at("audit.log")),
      args: ["--export-file", "events"],
    });
    await using agents = new MortalAgents(daemon.socket);
    const stopped = await agents.start(runtime);
    const failing = await agents.start();
    const clean = await agents.start();
    await until("three members", async () => (await daemon.state()).agents === 3);
    await clean.exit(0);
    await failing.exit(3);
    await daemon.untilStalls(failing.pid);
    stopped.kill("SIGSTOP");
    await until("its return", () => daemon.saying("agent is back", stopped.pid).length > 0);
    await until("its result", () => daemon.saying("recovery helped", stopped.pid).length > 0);
    await until("its child's end", async () => (await daemon.state()).children === 0);
    if (life === 0) {
      const name = `varta_agent_stalls_total{agent="${CALLED}",verdict="stopped"}`;
      expect(sampleAt(parsePage(await daemon.body()), name)).toBe(1);
    }
    expect(await daemon.stop()).toBe(0);
    pids.push(stopped.pid, failing.pid, clean.pid);
  }
  return pids;
}

describe.concurrent.skipIf(!IS_LINUX)("the export", () => {
  test("as JSONL has each event of two lives once and in order, and no beat", async () => {
    using directory = new TemporaryDirectory();
    const pids = await lives("jsonl", directory);
    const lines = readJsonl(readFileSync(directory.at("events"), "utf8"));
    expect(lines.filter(({ kind }) => kind === "boot")).toHaveLength(2);
    const second = lines.findLastIndex(({ kind }) => kind === "boot");
    for (const [life, found] of [lines.slice(0, second), lines.slice(second)].entries())
      expectLife(found, pids.slice(3 * life), directory.path);
    expect(
      new Set(lines.filter(({ kind }) => kind === "boot").map((line) => line["session_id"])).size,
    ).toBe(2);
  });

  test("as TSV says the same behind the six columns of the Rust observer", async () => {
    using directory = new TemporaryDirectory();
    const [stopped, failing] = await lives("tsv", directory);
    const columns = readTsv(readFileSync(directory.at("events"), "utf8"));
    const of = (kind: string, pid: number) =>
      columns.find(([, word, who]) => word === kind && who === String(pid))!;
    expect(of("stall", stopped!).slice(3, 6)).toEqual([expect.any(String), "stall", "-"]);
    expect(of("stall", stopped!).slice(7, 12)).toEqual([
      CALLED,
      expect.any(String),
      "2000",
      "ok",
      "stopped",
    ]);
    expect(of("resume", stopped!)[7]).toBe(CALLED);
    expect(of("exit", failing!)[5]).toBe("exit status 3");
    expect(columns[0]!.slice(1, 6)).toEqual(["boot", expect.any(String), "-", "-", VERSION]);
    expect(columns.at(-1)!.slice(1, 6)).toEqual([
      "shutdown",
      expect.any(String),
      "-",
      "-",
      "SIGTERM",
    ]);
  });

  test("of a daemon that is started by options alone has six columns and the kinds of the Rust observer", async () => {
    await using daemon = await DaemonProcess.start({
      args: ["--threshold-ms", "300", "--export-file", "events.tsv"],
    });
    await using agents = new MortalAgents(daemon.socket);
    const agent = await agents.start();
    await until("a member", async () => (await daemon.state()).agents === 1);
    await agent.exit(3);
    await daemon.untilStalls(agent.pid);
    expect(await daemon.stop()).toBe(0);
    const rows = daemon.exported("events.tsv");
    expect(new Set(rows.map(({ length }) => length))).toEqual(new Set([6]));
    const kinds = new Set(rows.map(([, kind]) => kind));
    expect(kinds).toEqual(new Set(["beat", "stall"]));
  });
});

function expectLife(lines: readonly ExportLine[], pids: readonly number[], path: string): void {
  const [stopped, failing, clean] = pids;
  expect(lines.map(({ kind }) => kind)).not.toContain("beat");
  const told = (pid: number | undefined) => lines.filter((line) => line["pid"] === pid);
  expect(lines[0]).toMatchObject({
    kind: "boot",
    version: VERSION,
    config: join(path, "varta.toml"),
  });
  expect(lines.at(-1)).toMatchObject({
    kind: "shutdown",
    reason: "SIGTERM",
    exit_code: 0,
    stalls: 2,
    recoveries: 2,
  });
  expect(told(clean).map(({ kind, reason }) => [kind, reason])).toEqual([["gone", "clean"]]);
  expect(told(failing).slice(0, 2)).toMatchObject([
    { kind: "exit", how: "unclean", exit_status: 3 },
    { kind: "stall", verdict: "exited", exit_status: 3, last_status: "ok", threshold_ms: 2_000 },
  ]);
  const story = told(stopped);
  expect(story.map(({ kind, outcome }) => outcome ?? kind).sort()).toEqual(
    ["stall", "spawned", "resume", "reaped", "helped"].sort(),
  );
  for (const line of story) expect(line).toMatchObject({ agent: CALLED, verdict: "stopped" });
  const stall = story.find(({ kind }) => kind === "stall")!;
  const resume = story.find(({ kind }) => kind === "resume")!;
  expect(Number(resume["silence_ms"])).toBeGreaterThanOrEqual(Number(stall["silence_ms"]));
  expect(resume["last_ns"]).toBe(stall["last_ns"]);
  const ids = new Set(story.flatMap((line) => line["recovery_id"] ?? []));
  expect(ids.size).toBe(1);
  const agesMs = lines.map((line) => Date.now() - Date.parse(String(line["t"])));
  expect(Math.max(...agesMs)).toBeLessThan(TEST_MS_MAX);
  const times = lines.map((line) => line.observer_ns);
  expect(times.toSorted((a, b) => a - b)).toEqual(times);
}
