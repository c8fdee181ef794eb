// The files that a reload changes (spec 17 section 3), by the real program.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { IS_LINUX } from "../../../ffi/constants.ts";
import { sampleAt } from "../../metrics/page.ts";
import { runCommand } from "../../support/command.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { MortalAgents } from "../../support/mortal_agents.ts";
import { PROGRAM } from "../../support/program.ts";
import { refused, reload } from "../../support/reloads.ts";
import { Sender } from "../../support/sender.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

function lines(daemon: DaemonProcess, file: string): string[] {
  if (!existsSync(daemon.path(file))) return [];
  return readFileSync(daemon.path(file), "utf8").trimEnd().split("\n");
}

function config(daemon: DaemonProcess, file: string, format: string, more = ""): string {
  const keys = `file = "${daemon.path(file)}"\nformat = "${format}"\n${more}`;
  return `[observer]\nthreshold = "1500ms"\n[export]\n${keys}`;
}

/** Recoveries are noted beside the audit log. */
const STATELESS = "\n[state]\noff = true\n";

describe.concurrent("a reload of the export", () => {
  test.skipIf(!IS_LINUX)(
    "begins it, and goes on in another file and form with what it knows of the run",
    async () => {
      await using daemon = await DaemonProcess.start({ config: "" });
      await using agents = new MortalAgents(daemon.socket);
      const agent = await agents.start();
      await daemon.untilReceived(1);
      await reload(daemon, config(daemon, "old.tsv", "tsv"));
      agent.kill("SIGSTOP");
      const stalls = () => lines(daemon, "old.tsv").filter((line) => line.includes("\tstall\t"));
      await until("the stall in the first file", () => stalls().length === 1);
      await reload(daemon, config(daemon, "new.jsonl", "jsonl"));
      const before = lines(daemon, "old.tsv");
      agent.kill("SIGCONT");
      const resume = () => lines(daemon, "new.jsonl").find((line) => line.includes('"resume"'));
      await until("the resume in the second file", () => resume() !== undefined);
      expect(JSON.parse(resume()!)).toMatchObject({ verdict: "stopped" });
      expect(lines(daemon, "old.tsv")).toEqual(before);
      expect(await daemon.stop()).toBe(0);
      const end = lines(daemon, "new.jsonl").at(-1)!;
      expect(JSON.parse(end)).toMatchObject({ kind: "shutdown", stalls: 1 });
    },
  );

  test("to a place that is none changes nothing, and a signal opens a moved file again", async () => {
    await using daemon = await DaemonProcess.start({ config: "" });
    await reload(daemon, config(daemon, "a.jsonl", "jsonl"));
    mkdirSync(daemon.path("folder"));
    const [at, problem] = await refused(daemon, config(daemon, "folder", "jsonl"));
    expect(at).toBe(`${daemon.path("varta.toml")}:4:8`);
    expect(problem).toStartWith(`cannot open the export file ${daemon.path("folder")}: `);
    renameSync(daemon.path("a.jsonl"), daemon.path("a.jsonl.1"));
    daemon.signal("SIGHUP");
    await until("the file to be there again", () => existsSync(daemon.path("a.jsonl")));
    await daemon.untilSays("export file recreated");
    expect(await daemon.stop()).toBe(0);
    expect(lines(daemon, "a.jsonl").at(-1)).toContain('"shutdown"');
  });
});

describe.concurrent("a reload of the heartbeat file", () => {
  test("goes on in another file, and is refused where something else stands", async () => {
    await using daemon = await DaemonProcess.start({ config: "" });
    const at = (file: string) => `[liveness]\nheartbeat_file = "${daemon.path(file)}"\n`;
    await reload(daemon, at("first"));
    await until("the first", () => existsSync(daemon.path("first")));
    await reload(daemon, at("second"));
    await until("the second", () => existsSync(daemon.path("second")));
    writeFileSync(daemon.path("letter"), "dear all\n");
    const [place, problem] = await refused(daemon, at("letter"));
    expect(place).toBe(`${daemon.path("varta.toml")}:2:18`);
    expect(problem).toStartWith(`cannot open the heartbeat file ${daemon.path("letter")}: `);
    const [last, seen] = [lines(daemon, "first")[0]!, lines(daemon, "second")[0]];
    await until("the second to go on", () => lines(daemon, "second")[0] !== seen);
    expect(lines(daemon, "first")).toEqual([last]);
    expect(lines(daemon, "letter")).toEqual(["dear all"]);
    await reload(daemon, "# no heartbeat any more\n");
    await until("the change", () => daemon.saying("configuration changed").length === 3);
    expect(daemon.saying("configuration changed").at(-1)!.fields.get("change")).toBe(
      `liveness.heartbeat_file: "${daemon.path("second")}" -> not set`,
    );
    expect(await daemon.stop()).toBe(0);
  });
});

/** Stalls of this process are recovered once; the log is at `file`, undefined = nowhere. */
function audited({ directory }: { directory: string }, file?: string): string {
  const audit = file === undefined ? "" : `[audit]\nfile = "${directory}/${file}"\n`;
  return `[observer]\nthreshold = "200ms"\n[recovery]\ncommand = ["/bin/true"]\ndebounce = "1h"\n${audit}`;
}

/** Rows from the kind on. */
function rows(daemon: DaemonProcess, file: string): string[][] {
  return lines(daemon, file)
    .filter((line) => !line.startsWith("#"))
    .map((line) => line.split("\t"));
}

const kinds = (daemon: DaemonProcess, file: string) => rows(daemon, file).map((row) => row[3]!);
const chain = (row: string[] | undefined) => row!.at(-1)!;

function verify(daemon: DaemonProcess, file: string) {
  return runCommand([...PROGRAM, "audit", "verify", daemon.path(file)]);
}

async function stall(daemon: DaemonProcess, count: number): Promise<void> {
  using sender = new Sender(daemon.socket);
  await sender.beat();
  await daemon.untilStalls(process.pid, count);
}

describe.concurrent("a reload of the audit log", () => {
  test.skipIf(!IS_LINUX)(
    "goes on in another file that names the last row of the first, and the debounce with it",
    async () => {
      using directory = new TemporaryDirectory();
      const start = (file: string) => {
        const config = audited({ directory: directory.path }, file);
        return DaemonProcess.start({ directory: directory.path, config });
      };
      let end: string;
      {
        await using daemon = await start("a");
        await stall(daemon, 1);
        await until("the recovery", () => kinds(daemon, "a").includes("complete"));
        await reload(daemon, audited(daemon, "b"));
        await until("the second file", () => kinds(daemon, "b").includes("moved"));
        const [last, [boot, from]] = [rows(daemon, "a").at(-1)!, rows(daemon, "b")];
        expect(last.slice(3, 7)).toEqual(["moved", "to", daemon.path("b"), "0"]);
        expect(boot!.slice(3, 7)).toEqual(["boot", String(daemon.pid), "-", "fresh"]);
        const link = [daemon.path("a"), last[0]!, chain(last)];
        expect(from!.slice(3, 8)).toEqual(["moved", "from", ...link]);
        end = chain(last);
        await daemon.untilSays("audit log", 2);
        daemon.signal("SIGKILL");
        await daemon.exited();
      }
      await using daemon = await start("b");
      await stall(daemon, 1);
      await until("the refusal", () => kinds(daemon, "b").includes("refused"));
      expect(rows(daemon, "b").at(-1)![5]).toBe("debounced");
      expect(chain(rows(daemon, "a").at(-1))).toBe(end);
      await reload(daemon, audited(daemon, "a"));
      await until("the first file again", () => rows(daemon, "a").at(-1)![4] === "from");
      const [boot, from] = rows(daemon, "a").slice(-2);
      const head = async () => sampleAt(await daemon.page(), "varta_audit_head_sequence");
      await until("the number", async () => (await head()) === Number(from![0]));
      expect(boot!.slice(5, 7)).toEqual([end, "resume"]);
      expect(from!.slice(4, 7)).toEqual(["from", daemon.path("b"), rows(daemon, "b").at(-1)![0]!]);
      expect(await daemon.stop()).toBe(0);
      for (const file of ["a", "b"]) expect((await verify(daemon, file)).exitCode).toBe(0);
      expect(daemon.saying("tamper suspected")).toEqual([]);
      expect(daemon.saying("audit.head names another log")).toEqual([]);
    },
  );

  test("to a place that is none changes nothing", async () => {
    await using daemon = await DaemonProcess.start({ config: STATELESS });
    await reload(daemon, audited(daemon, "a") + STATELESS);
    await until("the log", () => kinds(daemon, "a").length === 1);
    writeFileSync(daemon.path("letter"), "dear all\n", { mode: 0o600 });
    const [at, problem] = await refused(daemon, audited(daemon, "letter") + STATELESS);
    expect(at).toBe(`${daemon.path("varta.toml")}:7:8`);
    expect(problem).toStartWith(`cannot open the audit log ${daemon.path("letter")}: `);
    // The log could be there, its journal, which is beside it where there is no state, could not.
    mkdirSync(daemon.path("c.fired"));
    const [, other] = await refused(daemon, audited(daemon, "c") + STATELESS);
    expect(other).toStartWith(`cannot open the journal of recoveries ${daemon.path("c.fired")}: `);
    expect(lines(daemon, "letter")).toEqual(["dear all"]);
    expect(lines(daemon, "c")).toEqual([""]);
    expect(kinds(daemon, "a")).toEqual(["boot"]);
    expect(await daemon.stop()).toBe(0);
  });

  test.skipIf(!IS_LINUX)("begins and ends it, and its numbers never go back", async () => {
    await using daemon = await DaemonProcess.start({ config: audited({ directory: "" }) });
    await reload(daemon, audited(daemon, "a"));
    await stall(daemon, 1);
    await until("the recovery", () => kinds(daemon, "a").includes("complete"));
    await reload(daemon, audited(daemon));
    await daemon.untilSays("audit log closed");
    expect(rows(daemon, "a").at(-1)!.slice(4, 8)).toEqual(["to", "-", "0", "-"]);
    await reload(daemon, audited(daemon, "b"));
    await until("the next", () => kinds(daemon, "b").length === 2);
    expect(Number(rows(daemon, "b")[0]![0])).toBe(Number(rows(daemon, "a").at(-1)![0]) + 1);
    expect(await daemon.stop()).toBe(0);
    for (const file of ["a", "b"]) expect((await verify(daemon, file)).exitCode).toBe(0);
  });
});
