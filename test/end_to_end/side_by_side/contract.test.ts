// The command line as recipes for the Rust observer use it: options in, literal lines of the
// metrics page and of the export out (spec 06 section 6).
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, statSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { NONCE_TERMINAL } from "../../../src/wire/frame.ts";
import { sampleAt, sumOf } from "../../metrics/page.ts";
import { runCommand } from "../../support/command.ts";
import { Crew, crewProgram, NEEDS_CREW } from "../../support/crew.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { PROGRAM } from "../../support/program.ts";
import { Sender } from "../../support/sender.ts";
import { unlessMachinePauses } from "../../support/pauses.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const TOKEN = "0123456789abcdef".repeat(4);
const OWN = process.pid;

describe.concurrent("the end-to-end contract", () => {
  test("a hundred beats and then silence: counted, stalled, recovered", async () => {
    await using daemon = await DaemonProcess.start({
      args: [
        ...["--threshold-ms", "1000", "--max-beat-rate", "0", "--prom-token-file", "token"],
        ...["--recovery-exec", "touch marker", "--recovery-debounce-ms", "1000"],
      ],
      files: { token: TOKEN },
    });
    using sender = new Sender(daemon.socket);
    await sender.beats(100);
    await until("the recovery", () => existsSync(daemon.path("marker")));
    const authorization = `Bearer ${TOKEN}`;
    let lines: string[] = [];
    const wanted = [`varta_beats_total{pid="${OWN}"} 100`, `varta_status{pid="${OWN}"} 3`];
    await until(`${wanted} on the page`, async () => {
      lines = (await (await daemon.fetch("/metrics", { authorization })).text()).split("\n");
      return wanted.every((line) => lines.includes(line));
    });
    // More than one if this process, which runs other tests besides, kept the sender waiting
    // between two beats.
    expect(lines).toContain(`varta_stalls_total{pid="${OWN}"} ${daemon.stallsOf(OWN).length}`);

    expect((await daemon.fetch("/metrics")).status).toBe(401);
    const wrong = { authorization: `Bearer ${TOKEN.replace("0", "1")}` };
    expect((await daemon.fetch("/metrics", wrong)).status).toBe(401);
    expect((await daemon.fetch("/-/ready")).status).toBe(200);
  });

  test.each([
    { words: "a degraded beat", fields: { status: "degraded" }, value: 1 },
    { words: "a panic frame", fields: { status: "critical", nonce: NONCE_TERMINAL }, value: 2 },
  ] as const)("$words shows as status $value", async ({ fields, value }) => {
    await using daemon = await DaemonProcess.start({
      args: ["--threshold-ms", "5000", "--clock-source", value === 1 ? "boottime" : "monotonic"],
    });
    using sender = new Sender(daemon.socket);
    await sender.beat(fields);
    await daemon.untilReceived(1);
    const body = await daemon.body();
    expect(body.split("\n")).toContain(`varta_status{pid="${OWN}"} ${value}`);
    expect(body).toMatch(/^varta_watch_uptime_seconds [0-9.]+$/m);
  });

  test("monotonic-raw is a clock source, another word is not", async () => {
    await using daemon = await DaemonProcess.start({ args: ["--clock-source", "monotonic-raw"] });
    expect(await daemon.body()).toContain("varta_watch_uptime_seconds ");
    await using refused = new DaemonProcess({ args: ["--clock-source", "realtime"] });
    expect(await refused.exited()).toBe(64);
    expect(refused.stderr).toContain("command line: --clock-source: found");
  });

  test("--max-beat-rate 10 sheds a burst of 50", async () => {
    await using daemon = await DaemonProcess.start({ args: ["--max-beat-rate", "10"] });
    using sender = new Sender(daemon.socket);
    await sender.beats(50);
    await daemon.untilReceived(50);
    const page = await daemon.page();
    const beats = sampleAt(page, `varta_beats_total{pid="${OWN}"}`);
    const limited = sampleAt(page, 'varta_rate_limited_total{reason="per_pid"}');
    expect(beats).toBeWithin(1, 50);
    expect(beats + limited).toBe(50);
  });

  test("Stall frames on the wire are refused as such, whatever pid they name", async () => {
    await using daemon = await DaemonProcess.start();
    using sender = new Sender(daemon.socket);
    for (const pid of [1, 12_345]) await sender.beat({ status: "stall", pid });
    await daemon.untilReceived(2);
    const page = await daemon.page();
    expect(sampleAt(page, 'varta_decode_errors_total{kind="stall_on_wire"}')).toBe(2);
    expect(sampleAt(page, 'varta_decode_errors_total{kind="bad_pid"}')).toBe(0);
    expect(sumOf(page, "varta_beats_total")).toBe(0);
    expect(sumOf(page, "varta_status")).toBe(0);
  });

  test("--export-file-max-bytes rotates", async () => {
    await using daemon = await DaemonProcess.start({
      args: ["--export-file", "events.tsv", "--export-file-max-bytes", "200"],
    });
    using sender = new Sender(daemon.socket);
    const rotated = daemon.path("events.tsv.1");
    await until("a rotated file", async () => {
      await sender.beat();
      return existsSync(rotated) && statSync(rotated).size > 0;
    });
    await daemon.stop();
    expect(daemon.exported("events.tsv.1").length).toBeGreaterThan(1);
  });

  test("half-open scrapers cost the loop nothing, and stalls are still found", async () => {
    await using daemon = await DaemonProcess.start({
      args: [
        ...["--threshold-ms", "500", "--iteration-budget-ms", "1000"],
        ...["--scrape-budget-ms", "1000"],
      ],
    });
    const { metricsPort: port } = daemon;
    const sockets = Array.from({ length: 8 }, () => connectTcp({ host: "127.0.0.1", port }));
    for (const socket of sockets) socket.write("GET /metrics HTTP/1.1\r\nHost: a\r\nX-Half:");
    using sender = new Sender(daemon.socket);
    const startedMs = performance.now();
    for (let stalls = 1; performance.now() - startedMs < 2_000; stalls++) {
      await sender.beat();
      await daemon.untilStalls(OWN, stalls);
    }
    for (const socket of sockets) socket.destroy();
    const page = await daemon.page();
    const turns = sampleAt(page, "varta_observer_iteration_seconds_count");
    const at = (bound: string) =>
      sampleAt(page, `varta_observer_iteration_seconds_bucket{le="${bound}"}`);
    expect(at("+Inf")).toBe(turns);
    // A loop that waited for the half-open requests would have done so in every turn; some may be
    // due to the machine.
    expect(turns - at("0.5")).toBeLessThan(turns / 4);
    const served = sampleAt(page, "varta_observer_serve_pending_seconds_count");
    expect(Math.abs(served - turns)).toBeLessThanOrEqual(1);
    expect(sampleAt(page, "varta_scrape_budget_exhausted_total")).toBe(0);
    expect(sampleAt(page, "varta_observer_scrape_budget_exceeded_total")).toBe(0);
  });

  test("the beat command is an agent", async () => {
    await using daemon = await DaemonProcess.start();
    const argv = ["beat", "--socket", daemon.socket, "--count", "3", "--interval", "20ms"];
    const child = Bun.spawn([...PROGRAM, ...argv, "--payload", "7"]);
    expect(await child.exited).toBe(0);
    await daemon.untilReceived(3);
    const page = await daemon.page();
    expect(sampleAt(page, `varta_beats_total{pid="${child.pid}"}`)).toBe(3);
  });

  const promtool = Bun.which("promtool");
  const missing = promtool === null ? " (skipped: there is no promtool)" : "";
  test.skipIf(promtool === null)(`promtool likes the page${missing}`, async () => {
    await using daemon = await DaemonProcess.start();
    using sender = new Sender(daemon.socket);
    await sender.beat();
    await daemon.untilReceived(1);
    const { exitCode, stdout, stderr } = await runCommand([promtool!, "check", "metrics"], {
      stdin: await daemon.body(),
    });
    expect(`${stdout}${stderr}`).toBe("");
    expect(exitCode).toBe(0);
  });
});

describe.concurrent.skipIf(crewProgram === undefined)(
  `the end-to-end contract with several agents${NEEDS_CREW}`,
  () => {
    test("ten processes have a series each, with the pid as its only label", async () => {
      await using daemon = await DaemonProcess.start({
        args: ["--threshold-ms", "5000"],
      });
      await using crew = new Crew(daemon.socket);
      const pids = await crew.agents({ count: 10, intervalMs: 15, beats: 20 });
      await daemon.untilReceived(200);
      const lines = (await daemon.body()).split("\n");
      const series = lines.filter((line) => line.startsWith("varta_beats_total{"));
      const wanted = pids.toSorted((a, b) => a - b);
      expect(series).toEqual(wanted.map((pid) => `varta_beats_total{pid="${pid}"} 20`));
    });

    test("--export-file has the beats and the stall of each process", () =>
      unlessMachinePauses(400, async () => {
        await using daemon = await DaemonProcess.start({
          args: ["--threshold-ms", "500", "--export-file", "events.tsv"],
          metrics: false,
        });
        await using crew = new Crew(daemon.socket);
        const pids = await crew.agents({ count: 3, intervalMs: 20, beats: 5 });
        for (const pid of pids) await daemon.untilStalls(pid);
        expect(await daemon.stop()).toBe(0);
        const rows = daemon.exported("events.tsv");
        for (const pid of pids) {
          const own = rows.filter(([, , rowPid]) => rowPid === `${pid}`);
          expect(own.map(([, ...columns]) => columns.join(" "))).toEqual([
            ...[1, 2, 3, 4, 5].map((nonce) => `beat ${pid} ${nonce} ok 0`),
            `stall ${pid} 5 stall -`,
          ]);
        }
        expect(daemon.stdout).toBe("");
      }));

    test("--tracker-capacity 2 makes room by forgetting those silent for ten thresholds", async () => {
      await using daemon = await DaemonProcess.start({
        args: ["--threshold-ms", "150", "--tracker-capacity", "2", "--export-file", "events.tsv"],
      });
      await using crew = new Crew(daemon.socket);
      const tracked = (pid: number) =>
        until("a beat to be accepted", () =>
          daemon.exported("events.tsv").some((row) => row[1] === "beat" && row[2] === `${pid}`),
        );
      const counted = async (name: string) =>
        sampleAt(await daemon.page(), `varta_tracker_${name}`);
      const agents = await crew.agents({ count: 2, intervalMs: 10 });
      for (const pid of agents) await tracked(pid);
      for (const [index, oldest] of agents.entries()) {
        const before = await counted("capacity_exceeded_total");
        const next = await crew.agent({ intervalMs: 10 });
        const isRefused = async () => (await counted("capacity_exceeded_total")) > before;
        await until("the tracker to be full", isRefused);
        await crew.kill(oldest);
        await tracked(next);
        // A page may be a second old.
        await until("the eviction", async () => (await counted("evicted_total")) === index + 1);
      }
      const page = await daemon.page();
      expect(sampleAt(page, "varta_watch_pids_tracked")).toBe(2);
      const kept = [...page.samples.keys()].filter((name) => name.startsWith("varta_beats_total"));
      expect(kept).toHaveLength(2);
    });
  },
);
