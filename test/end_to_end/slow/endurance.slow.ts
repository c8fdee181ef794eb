// The daemon under what no day brings at once: a million hostile datagrams, a thousand idle
// connections, a signal in every millisecond of its start, and one death after another. Nothing
// grows, nothing is left, honest agents lose nothing.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import { connect } from "../../../src/client/mod.ts";
import { KERNEL_VOUCHES } from "../../support/kernel_word.ts";
import { sampleAt, sumOf } from "../../metrics/page.ts";
import { Crew, crewProgram, NEEDS_CREW } from "../../support/crew.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { unlessMachinePauses } from "../../support/pauses.ts";
import { Sender } from "../../support/sender.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { until } from "../../support/until.ts";

const MIB = 1024 * 1024;

setDefaultTimeout(180_000);
afterAll(endLeftovers);

/** Half a million datagrams that leave a hundred bytes each. */
const LEAK_BYTES_MIN = 48 * MIB;

describe.skipIf(crewProgram === undefined)(`a million hostile datagrams${NEEDS_CREW}`, () => {
  test("leave memory, descriptors and honest agents as they were", () =>
    unlessMachinePauses(500, async () => {
      // Without the limit for all, which would shed honest beats in such a flood, too.
      await using daemon = await DaemonProcess.start({
        args: ["--threshold-ms", "1000", "--global-beat-rate", "0"],
      });
      await using crew = new Crew(daemon.socket);
      await using hostile = new Crew(daemon.socket);
      await crew.agents({ count: 20, intervalMs: 50 });
      const flood = async (count: number) => {
        await hostile.send({ count, content: "random" });
        await hostile.send({ count, content: "zeros", size: 31 });
        await hostile.send({ count, content: "beat", descriptors: 1 });
        await hostile.send({ count, content: "beat", pid: daemon.pid });
      };
      // The heap finds its size in the first half: how much garbage it holds, the runtime decides,
      // and on a busy machine it collects late.
      await flood(125_000);
      const before = resourcesOf(daemon);
      await flood(125_000);
      const after = resourcesOf(daemon);
      const sent = [...(await crew.quiet()).values()].reduce((sum, beats) => sum + beats);
      // What is well-formed comes through, but with descriptors only where the kernel cannot refuse
      // them at the sender; it filters the rest.
      await daemon.untilReceived(250_000 + sent);
      await until(
        "the honest beats",
        async () => (await daemon.state()).listeners[0]!.accepted === sent,
      );
      expect(after.descriptors).toBeLessThanOrEqual(before.descriptors);
      expect(after.residentBytes - before.residentBytes).toBeLessThan(LEAK_BYTES_MIN);
      expect(daemon.saying("agent stalled")).toEqual([]);
      const page = await daemon.page();
      expect(sumOf(page, "varta_beats_total")).toBe(sent);
      expect(sampleAt(page, "varta_ctrl_truncated_total")).toBe(KERNEL_VOUCHES ? 0 : 250_000);
      expect(sampleAt(page, 'varta_frame_auth_failures_total{reason="pid"}')).toBe(250_000);
      expect(sumOf(page, "varta_datagrams_rejected_total")).toBeLessThanOrEqual(1_000_000);
    }));
});

describe("endurance", () => {
  test("a thousand idle connections keep no scrape and no stall waiting", async () => {
    await using daemon = await DaemonProcess.start({ args: ["--threshold-ms", "200"] });
    const { metricsPort: port } = daemon;
    const sockets: Socket[] = [];
    for (let i = 0; i < 1_000; i++) sockets.push(connectTcp({ host: "127.0.0.1", port }));
    await until("all connections", () => sockets.every((socket) => !socket.connecting));
    using sender = new Sender(daemon.socket);
    for (let stalls = 1; stalls <= 10; stalls++) {
      await sender.beat();
      await daemon.untilStalls(process.pid, stalls);
      const startedMs = performance.now();
      expect(sampleAt(await daemon.page(), "varta_watch_pids_tracked")).toBe(1);
      expect(performance.now() - startedMs).toBeLessThan(1_000);
    }
    for (const socket of sockets) socket.destroy();
    expect(await daemon.stop()).toBe(0);
  });

  test("SIGTERM at any moment of the start leaves no socket behind", async () => {
    for (let ms = 0; ms < 200; ms += 4) {
      using directory = new TemporaryDirectory();
      await using daemon = new DaemonProcess({ directory: directory.path });
      await Bun.sleep(ms);
      const exitCode = await daemon.stop();
      if (exitCode !== 0) expect(daemon.signalCode).toBe("SIGTERM");
      expect(readdirSync(directory.path)).toEqual([]);
    }
  });

  test("a client finds every successor of a killed daemon", async () => {
    using directory = new TemporaryDirectory();
    const client = connect(`${directory.path}/varta.sock`, { reconnectMs: 1 });
    for (let life = 0; life < 20; life++) {
      await using daemon = await DaemonProcess.start({ directory: directory.path });
      for (let sent = 0; sent < 5; sent++)
        await until("a beat to be sent", () => client.beat().kind === "sent");
      await daemon.untilReceived(5);
      expect(sumOf(await daemon.page(), "varta_beats_total")).toBe(5);
      daemon.signal("SIGKILL");
      await daemon.exited();
    }
    client.close();
    expect(client.counters.sent).toBe(100);
  });
});

function resourcesOf(daemon: DaemonProcess) {
  const directory = `/proc/${daemon.pid}`;
  const status = readFileSync(`${directory}/status`, "latin1");
  return {
    descriptors: readdirSync(`${directory}/fd`).length,
    residentBytes: Number(/^VmRSS:\s+([0-9]+) kB$/m.exec(status)![1]) * 1024,
  };
}
