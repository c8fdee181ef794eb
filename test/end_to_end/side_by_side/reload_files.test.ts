// The files that a reload changes (spec 17 section 3), by the real program.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { IS_LINUX } from "../../../ffi/constants.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { MortalAgents } from "../../support/mortal_agents.ts";
import { refused, reload } from "../../support/reloads.ts";
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
  return `[observer]\nthreshold = "300ms"\n[export]\n${keys}`;
}

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
