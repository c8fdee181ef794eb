// `status --watch` on a real terminal, and what SIGUSR1 and a stopped daemon say of themselves.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { connect } from "../../../src/client/mod.ts";
import type { StatusView } from "../../../src/view/status_view.ts";
import { runCommand } from "../../support/command.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { PROGRAM } from "../../support/program.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const CONFIG = `
[observer]
threshold = "60s"

[[agent]]
name = "cron"
match = { comm = "no-such-program" }
expect = 1
`;
const OPEN = "\x1b[?1049h\x1b[?25l";
const CLOSE = "\x1b[?25h\x1b[?1049l";

class Watcher implements Disposable {
  shown = "";
  readonly #child;

  constructor(...args: readonly string[]) {
    const decoder = new TextDecoder();
    this.#child = Bun.spawn([...PROGRAM, "status", "--watch", "--utc", ...args], {
      env: { ...process.env, LC_ALL: "C.UTF-8", NO_COLOR: "1", COLUMNS: "" },
      terminal: {
        cols: 80,
        rows: 24,
        data: (_terminal, bytes) => {
          this.shown += decoder.decode(bytes, { stream: true });
        },
      },
    });
  }

  get exited(): Promise<number> {
    return this.#child.exited;
  }

  /** Text that appears from now on. */
  async until(what: string, text: string | RegExp): Promise<void> {
    this.shown = "";
    await until(what, () =>
      typeof text === "string" ? this.shown.includes(text) : text.test(this.shown),
    );
  }

  press(key: string): void {
    this.#child.terminal!.write(key);
  }

  resize(cols: number): void {
    this.#child.terminal!.resize(cols, 24);
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
    this.#child.terminal!.close();
  }
}

function openDaemon(): Promise<DaemonProcess> {
  return DaemonProcess.start({ config: CONFIG, metrics: false });
}

describe.concurrent("status --watch", () => {
  test("draws again every second at the width that there is, and gives the terminal back", async () => {
    await using daemon = await openDaemon();
    using watcher = new Watcher("--control", daemon.path("control.sock"));
    await until("the first frame", () => watcher.shown.includes("cron"));
    expect(watcher.shown).toStartWith(OPEN);
    expect(watcher.shown).not.toContain("BEATS/S");
    await watcher.until("another frame", "\x1b[H");
    watcher.resize(120);
    await watcher.until("a wide frame", "BEATS/S");
    watcher.shown = "";
    watcher.press("\x03");
    expect(await watcher.exited).toBe(0);
    expect(watcher.shown.split(CLOSE)).toHaveLength(2);
    expect(watcher.shown.split(CLOSE)[1]).toMatch(/all ok\.\r\n1 agent, /);
  });

  test("goes on while the daemon is away: it says so, and what was known last", async () => {
    const daemon = await openDaemon();
    using watcher = new Watcher("--control", daemon.path("control.sock"));
    await until("the first frame", () => watcher.shown.includes("cron"));
    expect(await daemon.stop()).toBe(0);
    await watcher.until(
      "the end of the daemon",
      /is down since[\s\S]*The last answer was:[\s\S]*cron/,
    );
    await watcher.until("another try", "is down since");
    watcher.press("\x03");
    expect(await watcher.exited).toBe(69);
    await daemon[Symbol.asyncDispose]();
  });

  test("wants a terminal, and nothing that is printed once", async () => {
    const piped = await runCommand([...PROGRAM, "status", "--watch"]);
    expect(piped.stderr).toStartWith(
      "varta-watch: error: found --watch in a pipe; want a terminal\n",
    );
    expect(piped.exitCode).toBe(64);
    const both = await runCommand([...PROGRAM, "status", "--watch", "--json"]);
    expect(both.stderr).toContain("found --watch with --json; want one of them");
  });
});

describe.concurrent("SIGUSR1", () => {
  test("writes what status --json prints, on one line", async () => {
    await using daemon = await openDaemon();
    using agent = connect(daemon.socket);
    expect(agent.beat("ok", 0).kind).toBe("sent");
    await daemon.untilReceived(1);
    const viewLines = () => daemon.stderr.split("\n").filter((line) => line.startsWith('{"v":1,'));
    await until("the view", () => viewLines().length > 0);
    const written = JSON.parse(viewLines().at(-1)!) as StatusView;
    const path = daemon.path("control.sock");
    const printed = await runCommand([...PROGRAM, "status", "--json", "--control", path]);
    const asked = JSON.parse(printed.stdout) as StatusView;
    expect(Object.keys(written)).toEqual(Object.keys(asked));
    expect(Object.keys(written.observer)).toEqual(Object.keys(asked.observer));
    const names = ({ agents }: StatusView) => agents.map((one) => one.agent).sort();
    expect(names(written)).toEqual(names(asked));
  });

  test("writes the totals alone if options alone have started it", async () => {
    await using daemon = await DaemonProcess.start({ metrics: false });
    await daemon.state();
    await daemon.state();
    expect(daemon.stderr).not.toContain('{"v":1,');
  });
});

test("a daemon that was stopped says for how long it heard nobody, and why", async () => {
  await using daemon = await DaemonProcess.start({
    config: '[observer]\nthreshold = "1s"\n',
    metrics: false,
  });
  using agent = connect(daemon.socket);
  expect(agent.beat("ok", 0).kind).toBe("sent");
  await daemon.untilReceived(1);
  daemon.signal("SIGSTOP");
  await Bun.sleep(600);
  daemon.signal("SIGCONT");
  const path = daemon.path("control.sock");
  const screen = () => runCommand([...PROGRAM, "status", "--human", "--control", path]);
  let said = "";
  await until("the pause to be shown", async () => {
    said = (await screen()).stdout;
    return said.includes("observer: paused");
  });
  expect(said.replaceAll(/\s+/g, " ")).toMatch(
    /observer: paused from [\d:.]{12} for (\d+ms|[\d.]+s) \(the daemon was stopped\)\. Nothing was judged/,
  );
});
