// The process that reads and checks a changed file, for real (spec 17 section 2).
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { Config } from "../../../src/config/config.ts";
import type { LoadSuccess } from "../../../src/config/load_result.ts";
import { readNext } from "../../../src/daemon/reload/next_config.ts";
import { NextReader } from "../../../src/daemon/reload/next_reader.ts";
import { READ_NEXT_CONFIG } from "../../../src/cli/self_command.ts";
import { systemHost } from "../../../src/config/load.ts";
import { ProcessRunner } from "../../../src/recovery/children/child_runner.ts";
import { FixtureHost, KEY } from "../../config/fixture_host.ts";
import { PROGRAM, SOURCE_PROGRAM } from "../../support/program.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);

const LISTENER = '[[listener]]\nkind = "unix"\npath = "/etc/varta/v.sock"\n';

async function loaded(fixture: FixtureHost, text: string): Promise<Config> {
  return ((await fixture.load(text)) as LoadSuccess).config;
}

function readerOf(fixture: FixtureHost, argv: readonly string[], runner = new ProcessRunner()) {
  const configFile = `${fixture.directory}/varta.toml`;
  return new NextReader({ configFile, given: [], argv, runner });
}

describe("NextReader", () => {
  test("answers what reading in this process would, secrets and infinite times included", async () => {
    using fixture = new FixtureHost();
    fixture.write("good.key", `${KEY}\n`);
    const before = await loaded(fixture, LISTENER);
    fixture.write(
      "varta.toml",
      `${LISTENER}[[listener]]\nkind = "secure-udp"\nport = 7879\nkey_file = "/etc/varta/good.key"\n` +
        '[[agent]]\nname = "w"\nmatch = { comm = "w" }\nthreshold = "2s"\n',
    );
    const reader = readerOf(fixture, [...SOURCE_PROGRAM, READ_NEXT_CONFIG]);
    const configFile = `${fixture.directory}/varta.toml`;
    const here = await readNext(before, { configFile, given: [], host: systemHost() });
    expect(await reader.read(before, (work) => work()).result).toEqual(here);
  });

  test("has the process in a session of its own, which a signal to the daemon's does not reach", async () => {
    const argv = [...SOURCE_PROGRAM, READ_NEXT_CONFIG];
    await using child = Bun.spawn(argv, { stdin: "pipe", stdout: "ignore", stderr: "ignore" });
    const session = () =>
      readFileSync(`/proc/${child.pid}/stat`, "latin1").split(") ")[1]!.split(" ")[3];
    await until("its session", () => session() === String(child.pid));
  });

  test("says how the process ended that did not answer, and minds it until then", async () => {
    using fixture = new FixtureHost();
    const before = await loaded(fixture, LISTENER);
    const minded: number[] = [];
    const runner = new (class extends ProcessRunner {
      override mind(child: Pick<Bun.Subprocess, "pid" | "exited">): void {
        minded.push(child.pid);
        super.mind(child);
      }
    })();
    const text = async (argv: readonly string[]): Promise<string> => {
      const result = await readerOf(fixture, argv, runner).read(before, (work) => work()).result;
      return result.ok ? "" : result.problems[0]!.text;
    };
    expect(await text(["/bin/sh", "-c", "kill -9 $$"])).toEndWith("ended with SIGKILL");
    expect(await text(["/bin/sh", "-c", "exit 3"])).toEndWith("ended with exit status 3");
    expect(await text(["/bin/echo", "hello"])).toStartWith("cannot read the configuration: ");
    expect(await text([...PROGRAM, READ_NEXT_CONFIG])).toEndWith("is another version");
    expect(await text(["/absent"])).toStartWith("cannot read the configuration: ");
    expect(minded).toHaveLength(4);
    await until("all to be forgotten", () => minded.every((pid) => !runner.isLiving(pid)));
  });

  test("tells the process nothing of descriptors that were handed to the daemon", () => {
    const root = `${import.meta.dir}/../../..`;
    // What a child inherits is the environment with which this process was started.
    const script = `
      import { NextReader } from "${root}/src/daemon/reload/next_reader.ts";
      import { ProcessRunner } from "${root}/src/recovery/children/child_runner.ts";
      const argv = ["/bin/sh", "-c", 'exit "$(env | grep -c "^LISTEN_\\\\|^KEPT=")"'];
      const options = { configFile: "/absent", given: [], argv, runner: new ProcessRunner() };
      const { ok, problems } = await new NextReader(options).read({}, (work) => work()).result;
      console.log(ok ? "" : problems[0].text);`;
    const env = {
      ...process.env,
      LISTEN_FDS: "2",
      LISTEN_PID: "1",
      LISTEN_FDNAMES: "a",
      KEPT: "1",
    };
    const { stdout } = Bun.spawnSync([process.execPath, "-e", script], { env });
    expect(stdout.toString().trimEnd()).toEndWith("ended with exit status 1");
  });

  test("ends the process that nobody waits for any more", async () => {
    using fixture = new FixtureHost();
    const before = await loaded(fixture, LISTENER);
    const reading = readerOf(fixture, ["/bin/sleep", "100"]).read(before, (work) => work());
    reading.cancel();
    const result = await reading.result;
    expect(result.ok ? "" : result.problems[0]!.text).toEndWith("ended with SIGKILL");
  });
});
