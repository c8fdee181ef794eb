// The rows of an agent on the page of a real daemon: what happens to its processes is counted under
// its name, and whoever takes their place has the same series (spec 08 section 3.8).
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { IS_LINUX } from "../../../ffi/constants.ts";
import { linesWith, type Page, sampleAt } from "../../metrics/page.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { MortalAgents } from "../../support/mortal_agents.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const AGENT = "mortal";
const CONFIG = `
[observer]
threshold = "1s"

[[agent]]
match = { uid = ${process.getuid!()} }
name = "${AGENT}"

`;

const seriesOf = ({ samples }: Page) =>
  [...samples.keys()].filter((name) => name.includes(`agent="${AGENT}"`));

function value(page: Page, name: string, label = ""): number {
  return sampleAt(page, `varta_agent${name}{agent="${AGENT}"${label}}`);
}

async function untilBeating(daemon: DaemonProcess, count: number): Promise<Page> {
  let page = await daemon.page();
  await until(`${count} members to beat`, async () => {
    page = await daemon.page();
    return seriesOf(page).length > 0 && value(page, "_members_beating") === count;
  });
  return page;
}

describe.concurrent.if(IS_LINUX)("an agent of a daemon with a configuration file", () => {
  test("keeps its series through a stall, an unclean end, a clean one and other pids", async () => {
    await using daemon = await DaemonProcess.start({ config: CONFIG });
    await using agents = new MortalAgents(daemon.socket);
    const [one, two] = [await agents.start(), await agents.start()];
    const before = await untilBeating(daemon, 2);
    expect(value(before, "s", ',state="ok"')).toBe(2);
    expect(value(before, "_stalls_total", ',verdict="exited"')).toBe(0);
    expect(value(before, "_exits_total", ',how="unclean"')).toBe(0);
    expect(value(before, "_threshold_seconds")).toBe(1);

    await one.exit(3);
    await daemon.untilStalls(one.pid);
    await two.exit(0);
    let between = before;
    await until("nobody to be left", async () => {
      between = await daemon.page();
      return between.samples.get(`varta_agents{agent="${AGENT}",state="gone"}`) === 1;
    });
    expect(value(between, "_members")).toBe(0);
    expect(seriesOf(between).some((name) => name.includes("silence_ratio"))).toBe(false);

    await agents.start();
    await agents.start();
    const after = await untilBeating(daemon, 2);
    expect(seriesOf(after)).toEqual(seriesOf(before));
    expect(value(after, "_stalls_total", ',verdict="exited"')).toBe(1);
    expect(value(after, "_exits_total", ',how="unclean"')).toBe(1);
    expect(value(after, "_exits_total", ',how="clean"')).toBe(1);
    expect(value(after, "_beats_total")).toBeGreaterThan(value(before, "_beats_total"));
    expect(sampleAt(after, 'varta_stalls_seen_total{listener="unix-0"}')).toBe(1);
  });

  test("has no rows by pid unless they are asked for", async () => {
    for (const [config, isThere] of [
      [CONFIG, false],
      [`${CONFIG}[metrics]\nper_pid = true\n`, true],
    ] as const) {
      await using daemon = await DaemonProcess.start({ config });
      await using agents = new MortalAgents(daemon.socket);
      const { pid } = await agents.start();
      await untilBeating(daemon, 1);
      const body = await daemon.body();
      expect(linesWith(body, `{pid="${pid}"}`).length > 0).toBe(isThere);
    }
  });

  test.skipIf(Bun.which("promtool") === null)("has rows that promtool takes", async () => {
    await using daemon = await DaemonProcess.start({ config: CONFIG });
    await using agents = new MortalAgents(daemon.socket);
    await agents.start();
    await untilBeating(daemon, 1);
    const promtool = Bun.spawn(["promtool", "check", "metrics"], {
      stdin: new Blob([await daemon.body()]),
      stdout: "pipe",
      stderr: "pipe",
    });
    expect([await promtool.exited, await new Response(promtool.stderr).text()]).toEqual([0, ""]);
  });
});

describe.concurrent.if(IS_LINUX)("an agent of a daemon that was started by options alone", () => {
  test("has rows by pid, and none by name", async () => {
    await using daemon = await DaemonProcess.start();
    await using agents = new MortalAgents(daemon.socket);
    const { pid } = await agents.start();
    await until("it to be tracked", async () => (await daemon.state()).agents === 1);
    const body = await daemon.body();
    expect(linesWith(body, `{pid="${pid}"}`)).toHaveLength(4);
    expect(linesWith(body, "agent=")).toEqual([]);
    expect(linesWith(body, "_seen_total")).toEqual([]);
  });
});
