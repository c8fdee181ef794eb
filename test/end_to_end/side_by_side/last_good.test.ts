// A start whose file has problems begins with the configuration that worked last (spec 17 section
// 8), under a service manager and nowhere else.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { IS_LINUX } from "../../../ffi/constants.ts";
import { ServiceManager } from "../../daemon/service_manager.ts";
import { sampleAt } from "../../metrics/page.ts";
import { runCommand } from "../../support/command.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { untilProven } from "../../support/explained.ts";
import { MortalAgents } from "../../support/mortal_agents.ts";
import { PROGRAM } from "../../support/program.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const COPY = "last-good.toml";

class Service implements Disposable {
  readonly directory = new TemporaryDirectory();
  readonly manager = new ServiceManager();
  readonly file = this.directory.at("varta.toml");

  get env(): Record<string, string> {
    return { STATE_DIRECTORY: this.directory.path, NOTIFY_SOCKET: this.manager.name };
  }

  /** One life of the daemon with that file. */
  make(config: string, args: readonly string[] = [], env = this.env): DaemonProcess {
    return new DaemonProcess({ directory: this.directory.path, config, args, env });
  }

  /** A life with a file that is right, which is kept. */
  async live(config: string): Promise<void> {
    await using daemon = this.make(config);
    await daemon.ready();
    await until("the copy", () => existsSync(this.directory.at(COPY)));
    await until("all of it", () => readFileSync(this.directory.at(COPY), "utf8") === config);
    expect(await daemon.stop()).toBe(0);
    // Nothing is kept here: as long as its descriptors wait to be read, the sockets live.
    this.manager.read();
  }

  [Symbol.dispose](): void {
    this.manager[Symbol.dispose]();
    this.directory[Symbol.dispose]();
  }
}

const GOOD = "[limits]\nglobal_rate = 777\n";
const BAD = "[limits]\nglobal_rate = -1\n";

describe.concurrent("a file with problems", () => {
  test("is no end of the watch: the last one that worked is in force, loudly, until a reload", async () => {
    using service = new Service();
    await service.live(GOOD);
    await using daemon = service.make(BAD);
    await daemon.ready();
    const [line] = daemon.saying("last good configuration");
    expect(line!.fields.get("level")).toBe("error");
    const problem = daemon.saying("configuration problem")[0]!;
    expect(problem.fields.get("at")).toBe(`${service.file}:2:15`);
    const told = service.manager.read().findLast((text) => text.startsWith("READY=1"));
    expect(told).toStartWith(`READY=1\nSTATUS=last good configuration: ${service.file}:2:15; `);
    const page = await daemon.page();
    expect(sampleAt(page, "varta_config_last_good_in_use")).toBe(1);
    expect(sampleAt(page, "varta_config_last_reload_successful")).toBe(0);
    const control = ["--control", daemon.path("control.sock")];
    const status = await runCommand([...PROGRAM, "status", "--json", ...control]);
    expect(JSON.parse(status.stdout).observer.last_good).toBe(`${service.file}:2:15`);

    writeFileSync(service.file, GOOD);
    const reloaded = await runCommand([...PROGRAM, "reload", ...control]);
    expect(reloaded.stdout).toContain("Nothing changed.");
    expect(service.manager.read().at(-1)).not.toContain("last good");
    await until("the page to say so", async () => {
      return sampleAt(await daemon.page(), "varta_config_last_good_in_use") === 0;
    });
    const after = await runCommand([...PROGRAM, "status", "--json", ...control]);
    expect(JSON.parse(after.stdout).observer.last_good).toBeUndefined();
    expect(await daemon.stop()).toBe(0);
  });

  test.each([
    ["with --strict-config", ["--strict-config"], {}],
    ["where no service manager runs it", [], { NOTIFY_SOCKET: "", INVOCATION_ID: "" }],
  ])("ends the start with 78 %s", async (_, args, env) => {
    using service = new Service();
    await service.live(GOOD);
    await using daemon = service.make(BAD, args, { ...service.env, ...env });
    expect(await daemon.exited()).toBe(78);
    expect(daemon.stderr).toContain(`${service.file}:2:15: `);
  });

  test("that is missing, or was never right, ends the start with 78", async () => {
    using service = new Service();
    {
      await using daemon = service.make(BAD);
      expect(await daemon.exited()).toBe(78);
    }
    await service.live(GOOD);
    rmSync(service.file);
    const args = ["run", "-c", service.file, "--socket", service.directory.at("v.sock")];
    const env = Object.entries(service.env).map(([name, value]) => `${name}=${value}`);
    const { exitCode, stderr } = await runCommand(["env", ...env, ...PROGRAM, ...args]);
    expect([exitCode, stderr]).toEqual([78, expect.stringContaining("no such file")]);
  });

  test.skipIf(!IS_LINUX)(
    "and another plan holds recoveries by the old one until a reload is good",
    async () => {
      using service = new Service();
      const text = (command: string) =>
        `[observer]\nthreshold = "300ms"\n[recovery]\ncommand = ["/bin/touch", "${command}"]\n`;
      await service.live(text("old"));
      await using daemon = service.make(`${text("new")}[limits]\nglobal_rate = -1\n`);
      await daemon.ready();
      expect(daemon.saying("last good configuration")[0]!.fields.get("plans_held")).toBe("all");
      await using agents = new MortalAgents(daemon.socket);
      const agent = await agents.start();
      await untilProven(daemon, agent.pid);
      agent.kill("SIGSTOP");
      await daemon.untilStalls(agent.pid);
      await daemon.untilSays("recovery refused");
      expect(daemon.saying("recovery refused")[0]!.fields.get("reason")).toBe("plan_in_doubt");
      expect(existsSync(daemon.path("old"))).toBe(false);
      writeFileSync(service.file, text("new"));
      daemon.signal("SIGHUP");
      await until("the recovery", () => existsSync(daemon.path("new")));
      expect(existsSync(daemon.path("old"))).toBe(false);
    },
  );
});
