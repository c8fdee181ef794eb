// The whole program on an emulated Mac: a daemon, agents by Unix socket and UDP, and the
// demonstration, whose recovery is refused there because the kernel names no sender.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { EmulatedMac, MACS, NO_EMULATION } from "../../darwin/emulated_mac.ts";
import { freeUdpPorts } from "../../support/free_ports.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(60_000);

const MAIN = join(import.meta.dir, "../../../src/main.ts");

describe.skipIf(NO_EMULATION !== "").each(MACS)(`on a Mac with %s${NO_EMULATION}`, (name) => {
  test("agents beat by Unix socket and by UDP, and are reported from silent ones", async () => {
    using mac = new EmulatedMac();
    const [port] = freeUdpPorts(1);
    const socket = mac.directory.at("v.sock");
    const events = mac.directory.at("events.tsv");
    const options = ["--socket", socket, "--udp-port", `${port}`, "--i-accept-plaintext-udp"];
    const daemon = Bun.spawn(
      [process.execPath, MAIN, "run", ...options, "--threshold-ms=300", "--export-file", events],
      { env: mac.environment(name), stdin: "ignore", stdout: "ignore", stderr: "pipe" },
    );
    const log = new Response(daemon.stderr).text();
    try {
      const text = () => readFileSync(events, { encoding: "utf8", flag: "a+" });
      await until("the daemon to listen", async () => {
        const beat = await mac.run(name, [
          MAIN,
          "beat",
          "--socket",
          socket,
          "--count=3",
          "--interval=1ms",
        ]);
        return beat.exitCode === 0;
      });
      const udp = ["--udp", `127.0.0.1:${port}`, "--count=3", "--interval=1ms"];
      expect((await mac.run(name, [MAIN, "beat", ...udp])).exitCode).toBe(0);
      await until("both agents to stall", () => text().split("\tstall\t").length >= 3);
    } finally {
      daemon.kill("SIGTERM");
    }
    expect(await daemon.exited).toBe(0);
    expect(await log).toContain("senders not attested");
  });

  test("the demonstration says why nothing is recovered, and goes well all the same", async () => {
    using mac = new EmulatedMac();
    const { stdout, exitCode } = await mac.run(name, [MAIN, "demo"]);
    expect(stdout).toContain("no recovery: darwin does not name the sender of a beat");
    expect(stdout).toContain("worker beats again");
    expect(exitCode).toBe(0);
  });
});
