// A changed configuration is taken over by the real program (spec 17): by SIGHUP, with real agents
// and a service manager that listens.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { IS_LINUX } from "../../../ffi/constants.ts";
import { ServiceManager } from "../../daemon/service_manager.ts";
import { sampleAt } from "../../metrics/page.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { MortalAgents } from "../../support/mortal_agents.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const LAST_SUCCEEDED = "varta_config_last_reload_successful";

function rule(name: string, more: string): string {
  return `[[agent]]\nmatch = { uid = ${process.getuid?.()} }\nname = "${name}"\n${more}\n`;
}

/** Writes the file beside and renames it into place, as the manual says. */
function replace(daemon: DaemonProcess, text: string): void {
  writeFileSync(daemon.path("next"), text);
  renameSync(daemon.path("next"), daemon.path("varta.toml"));
}

async function reload(daemon: DaemonProcess, text: string): Promise<void> {
  const before = daemon.saying("reloaded").length;
  replace(daemon, text);
  daemon.signal("SIGHUP");
  await daemon.untilSays("reloaded", before + 1);
}

function changes(daemon: DaemonProcess): string[] {
  return daemon.saying("configuration changed").map(({ fields }) => fields.get("change")!);
}

describe.concurrent("a reload", () => {
  test("after 60 signals with another file each: the last one is in force, and each ends with READY=1", async () => {
    using manager = new ServiceManager();
    const rate = (value: number) => `[limits]\nglobal_rate = ${value}\n`;
    await using daemon = await DaemonProcess.start({
      config: rate(1_000),
      env: { NOTIFY_SOCKET: manager.name },
    });
    const texts: string[] = [];
    // Its queue takes ten: what is not read in time is lost.
    const read = () => void texts.push(...manager.read());
    for (let i = 1; i <= 60; i++) {
      replace(daemon, i === 30 ? "[limits" : rate(1_000 + i));
      daemon.signal("SIGHUP");
      await Bun.sleep(i % 5);
      read();
    }
    await until("the last file to be in force", () => {
      read();
      return changes(daemon).at(-1)?.endsWith("-> 1060") === true;
    });
    const count = (begin: string) => texts.filter((text) => text.startsWith(begin)).length;
    // One more may run, for a signal that came while the last one read.
    await until("READY=1 for each of them", () => {
      read();
      return count("READY=1") === count("RELOADING=1\nMONOTONIC_USEC=") + 1;
    });
    expect(count("RELOADING=1")).toBeWithin(1, 61);
    expect(texts.findLastIndex((text) => text.startsWith("READY=1"))).toBeGreaterThan(
      texts.findLastIndex((text) => text.startsWith("RELOADING=1")),
    );
    expect(await daemon.stop()).toBe(0);
  });

  test("that comes before the daemon is ready ends nothing", async () => {
    using directory = new TemporaryDirectory();
    await using daemon = new DaemonProcess({ directory: directory.path, config: "" });
    await until("the socket", () => existsSync(daemon.socket));
    daemon.signal("SIGHUP");
    await daemon.ready();
    await daemon.untilSays("configuration problem");
    expect(daemon.saying("configuration problem")[0]!.fields.get("problem")).toContain("empty");
    expect(await daemon.stop()).toBe(0);
  });

  test.skipIf(!IS_LINUX)(
    "with a shorter threshold judges nobody by silence of before, and the dead soon",
    async () => {
      await using daemon = await DaemonProcess.start({
        config: rule("worker", 'threshold = "60s"'),
      });
      await using agents = new MortalAgents(daemon.socket);
      const [dead, alive] = [await agents.start(), await agents.start()];
      await daemon.untilReceived(2);
      for (const agent of [dead, alive]) agent.kill("SIGSTOP");
      const silentMs = performance.now();
      await until("a long silence", () => performance.now() - silentMs > 2_200);
      await reload(daemon, rule("worker", 'threshold = "2s"'));
      alive.kill("SIGCONT");
      await daemon.untilStalls(dead.pid);
      const [stall] = daemon.stallsOf(dead.pid);
      expect(Number(stall!.fields.get("silence_ms"))).toBeGreaterThan(4_000);
      expect(stall!.fields.get("threshold_ms")).toBe("2000");
      expect(daemon.stallsOf(alive.pid)).toEqual([]);
    },
  );

  test.skipIf(!IS_LINUX)(
    "gives members the agent of the new rules, and their plan, without a beat of theirs",
    async () => {
      const before = rule("worker", 'threshold = "60s"\nrecovery = "none"');
      const after =
        `${rule("api", 'threshold = "200ms"\nrecovery = "note"')}[[recovery.plan]]\n` +
        'name = "note"\ncommand = ["/bin/touch", "noted"]\n';
      await using daemon = await DaemonProcess.start({ config: before });
      await using agents = new MortalAgents(daemon.socket);
      const agent = await agents.start();
      const members = async (name: string) =>
        (await daemon.page()).samples.get(`varta_agent_members{agent="${name}"}`) ?? 0;
      await until("the member to be known", async () => (await members("worker")) === 1);
      agent.kill("SIGSTOP");
      await daemon.untilReceived(1);
      await reload(daemon, after);
      await until("the page to say so", async () => (await members("api")) === 1);
      expect(await members("worker")).toBe(0);
      await until("the recovery", () => existsSync(daemon.path("noted")));
      await daemon.untilStalls(agent.pid);
      expect(daemon.stallsOf(agent.pid)[0]!.fields.get("agent")).toBe("api");
    },
  );

  test.skipIf(!IS_LINUX)(
    "makes room for more members, and for fewer as long as those that there are have it",
    async () => {
      const room = (capacity: number) => `[tracker]\ncapacity = ${capacity}\n`;
      await using daemon = await DaemonProcess.start({ config: room(2) });
      await using agents = new MortalAgents(daemon.socket);
      const tracked = async () => sampleAt(await daemon.page(), "varta_watch_pids_tracked");
      const refused = async () =>
        sampleAt(await daemon.page(), "varta_tracker_capacity_exceeded_total") ?? 0;
      for (let i = 0; i < 3; i++) await agents.start();
      await until("one to be refused", async () => (await refused()) > 0);
      expect(await tracked()).toBe(2);
      await reload(daemon, room(65_536));
      await until("all to be members", async () => (await tracked()) === 3);
      expect(sampleAt(await daemon.page(), "varta_tracker_capacity")).toBe(65_536);
      const fails = async (capacity: number) => {
        const before = daemon.saying("reload failed").length;
        replace(daemon, room(capacity));
        daemon.signal("SIGHUP");
        await daemon.untilSays("reload failed", before + 1);
        await until("why", () => daemon.saying("configuration problem").length === before + 1);
        return daemon.saying("configuration problem").at(-1)!.fields.get("problem");
      };
      expect(await fails(2)).toBe(
        "tracker.capacity: found 2; want at least 3, which are members now",
      );
      expect(await fails(65_537)).toBe("tracker.capacity: 65536 -> 65537 takes a restart");
      await reload(daemon, room(3));
      const before = await refused();
      await agents.start();
      await until("the fourth to be refused", async () => (await refused()) > before);
      expect(await tracked()).toBe(3);
      expect(await daemon.stop()).toBe(0);
    },
  );

  test("of a file with problems changes nothing, is on the page, and the next one works", async () => {
    const good = (rate: number) => `[limits]\nglobal_rate = ${rate}\n`;
    await using daemon = await DaemonProcess.start({ config: good(7) });
    const fails = async (spoil: () => void, said: string) => {
      const before = daemon.saying("reload failed").length;
      spoil();
      daemon.signal("SIGHUP");
      await daemon.untilSays("reload failed", before + 1);
      const problem = () => daemon.saying("configuration problem").at(-1)?.fields;
      await until("the problem", () => problem()?.get("problem")?.includes(said) === true);
      return problem()!.get("at");
    };
    const file = daemon.path("varta.toml");
    const write = (text: string) => () => writeFileSync(file, text);
    expect(await fails(write("[limits]\nglobal_rate = -1\n"), "-1")).toBe(`${file}:2:15`);
    expect(await fails(write(""), "an empty file")).toBe(file);
    expect(await fails(() => rmSync(file), "no such file")).toBe(file);
    const refused = await fails(
      write('[observer]\nclock_source = "boottime"\n[limits]\nglobal_rate = 9\n'),
      '"monotonic" -> "boottime" takes a restart',
    );
    expect(refused).toBe(`${file}:2:16`);
    const hints = daemon.saying("reload failed").map(({ fields }) => fields.get("hint"));
    expect(hints).toEqual([undefined, undefined, undefined, "systemctl restart varta-watch"]);
    await until("the page", async () => sampleAt(await daemon.page(), LAST_SUCCEEDED) === 0);
    expect(changes(daemon)).toEqual([]);
    await reload(daemon, `${good(8)}[log]\nlevel = "warn"\n`);
    await until("both changes", () => changes(daemon).length === 2);
    expect(changes(daemon)).toEqual(["limits.global_rate: 7 -> 8", 'log.level: "info" -> "warn"']);
    await until("the page", async () => sampleAt(await daemon.page(), LAST_SUCCEEDED) === 1);
    expect(await daemon.stop()).toBe(0);
    expect(daemon.saying("stopped")).toEqual([]);
  });
});
