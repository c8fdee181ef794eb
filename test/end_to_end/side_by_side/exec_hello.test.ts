// "varta-watch exec --name" against the real daemon: what it says in the name of its command.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { sampleAt } from "../../metrics/page.ts";
import { runCommand } from "../../support/command.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { PROGRAM } from "../../support/program.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

describe.concurrent.each(["unix", "unix-stream"])("varta-watch exec --name, by %s", (kind) => {
  const rules = '[[agent]]\nname = "job"\nmatch = { comm = "sleep" }\nannounce = true\n';

  test("says hello in the name of the command, which owes no beats, and its end is told", async () => {
    using directory = new TemporaryDirectory();
    await using daemon = await DaemonProcess.start({
      directory: directory.path,
      config: listenerAt(kind, directory.at("beats.sock")) + rules,
      ownListeners: true,
    });
    const control = ["--control", daemon.path("control.sock")];
    const argv = [...PROGRAM, "exec", ...control, "--name", "nightly-7", "--", "sleep", "1000"];
    const child = Bun.spawn(argv, { stderr: "ignore" });
    await daemon.untilSays("member came");
    await until("its name", async () => {
      const rows = await runCommand([...PROGRAM, "status", "nightly-7", "--json", ...control]);
      return rows.exitCode === 0;
    });
    child.kill("SIGTERM");
    await child.exited;
    await until("its end", () => daemon.saying("member gone", child.pid).length === 1);
    const { fields } = daemon.saying("member gone", child.pid)[0]!;
    expect([fields.get("agent"), fields.get("signal")]).toEqual(["nightly-7", "SIGTERM"]);
    expect(daemon.stallsOf(child.pid)).toEqual([]);
  });

  test("says bye if the command could not be started, and nothing if that is known before", async () => {
    using directory = new TemporaryDirectory();
    writeFileSync(directory.at("junk"), "no program", { mode: 0o755 });
    await using daemon = await DaemonProcess.start({
      directory: directory.path,
      config: listenerAt(kind, directory.at("beats.sock")) + rules,
      ownListeners: true,
    });
    const exec = [...PROGRAM, "exec", "--control", daemon.path("control.sock"), "--name", "job"];
    expect((await runCommand([...exec, "--", "no-such-program"])).exitCode).toBe(127);
    expect((await runCommand([...exec, "--", directory.path])).exitCode).toBe(126);
    expect((await runCommand([...exec, "--", directory.at("junk")])).exitCode).toBe(126);
    const taken = async (what: string) =>
      sampleAt(await daemon.page(), `varta_control_datagrams_total{kind="${what}"}`);
    await until("the bye", async () => (await taken("bye")) === 1);
    expect(await taken("hello")).toBe(1);
    await until("its end", () => daemon.saying("member gone").length === 1);
    expect(daemon.saying("member ended")).toEqual([]);
  });
});

function listenerAt(kind: string, path: string): string {
  return `[[listener]]\nname = "${kind}"\nkind = "${kind}"\npath = "${path}"\n`;
}
